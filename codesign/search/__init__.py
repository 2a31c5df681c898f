"""Search: one flow in many variants and seeds, each an ordinary run, and how they compare."""
