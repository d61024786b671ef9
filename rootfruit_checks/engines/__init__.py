"""Engines: compute log-probabilities of texts and generate continuations of prompts."""
