"""Which themes a continuation tells."""
