"""Instruments that put a label on a continuation."""
