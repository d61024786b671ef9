"""Types, errors, text escaping, files and versions. Imports no other part of the package."""
