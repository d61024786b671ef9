"""Sphinx configuration. Build with `sphinx-build -W -b html docs docs/_build` from the root of the checkout."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Our extension lies beside this file; the package is documented as it is in this checkout, installed or not.
sys.path[:0] = [str(ROOT / "docs"), str(ROOT)]

from rootfruit_checks import __version__  # noqa: E402

project = "rootfruit-checks"
author = "The rootfruit-checks authors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Two hyphens of an option in a help text stay two hyphens.
smartquotes = False
# Docstrings write code in single backticks.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
# torch and the like need not be installed to build the docs.
autodoc_mock_imports = ["torch", "transformers"]

html_theme = "furo"
html_title = f"rootfruit-checks {version}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_show_sphinx = False
