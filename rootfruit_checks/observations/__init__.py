"""From answers and labels to one tidy frame."""
