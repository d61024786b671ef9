"""Alignment as an experiment."""
