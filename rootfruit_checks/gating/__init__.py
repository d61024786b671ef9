"""From an estimate and a limit to a verdict that explains itself."""
