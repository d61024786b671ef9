"""Ray: any engine on several workers."""
