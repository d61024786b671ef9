"""The JSON Schema of the result, made from its types.

What it cannot say, such as that a released result has no failed check, the reader refuses all the same: see
`reading.py`.
"""

from __future__ import annotations

import msgspec

from rootfruit_checks.results.details import Details
from rootfruit_checks.results.json_result import SCHEMA
from rootfruit_checks.results.result import Result


def result_schema() -> dict[str, object]:
    """Return the JSON Schema (draft 2020-12) of `--rootfruit-json`."""
    _, parts = msgspec.json.schema_components((Result, Details), ref_template="#/$defs/{name}")
    top = parts.pop("Result")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:rootfruit-checks:rootfruit-result:1",
        **top,
        "title": SCHEMA,
        "description": " ".join(top["description"].split()),
        "$defs": parts,
    }
