"""What a run would cost and what it could show, before any model is loaded."""
