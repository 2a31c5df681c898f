"""The sweeps of a characterisation, one per file; each returns a ``Sweep``."""
