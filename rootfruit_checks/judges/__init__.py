"""From a continuation to a label."""
