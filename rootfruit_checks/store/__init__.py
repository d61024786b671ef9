"""The crash-safe store of answers and its lock."""
