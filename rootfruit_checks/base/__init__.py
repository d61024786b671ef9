"""Types, errors, text escaping, files and versions. Imports nothing else of the package."""
