"""A prompt as a user's turn: templates, thinking, clocks."""
