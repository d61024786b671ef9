"""Engines: what turns texts into log-probabilities and prompts into continuations."""
