"""Prompts as user turns: chat templates, thinking blocks, time limits."""
