"""Whether a continuation uses the right pronouns."""
