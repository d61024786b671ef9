"""From observations to estimates with bounds."""
