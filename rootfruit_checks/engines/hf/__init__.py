"""Transformers models: prefix-tree scoring, generation, adapters."""
