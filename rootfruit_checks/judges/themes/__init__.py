"""The narrative themes of a continuation."""
