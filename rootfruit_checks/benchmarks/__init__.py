"""The benchmarks that come with the package, one folder each, registered as anybody's are.

This module is named in the entry-point group `rootfruit_checks` and loaded by it alone: nothing imports it. To add a
benchmark, copy a folder and name it here; to remove one, delete its folder and its name.
"""

from importlib import import_module

# In the order in which they run and are reported.
for _name in ("winoqueer", "disclosure", "misgendering"):
    import_module(f"{__name__}.{_name}")
