"""`rootfruit`, the command line."""
