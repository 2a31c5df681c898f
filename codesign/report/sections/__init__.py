"""The sections of the report, one file each: RunData in, Section out (None: nothing to show)."""
