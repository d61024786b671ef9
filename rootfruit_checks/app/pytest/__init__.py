"""Hooks, fixtures and the session of the pytest plugin."""
