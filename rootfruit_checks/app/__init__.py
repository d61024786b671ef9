"""The pytest plugin and the command line: thin shells over the rest."""
