"""The regard of a continuation toward a person."""
