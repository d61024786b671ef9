"""Results for people and machines: terminal, JSON, pytest-html."""
