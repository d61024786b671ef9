"""Benchmarks: prompts and pairs as data, with strict readers."""
