"""The typed result, as JSON holds it."""
