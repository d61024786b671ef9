"""What the repo's own runs need: nothing yet."""
