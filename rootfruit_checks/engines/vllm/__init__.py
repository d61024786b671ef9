"""vLLM, in a separate process."""
