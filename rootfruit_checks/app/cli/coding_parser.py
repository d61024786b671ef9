"""The options of `rootfruit coding`, in a module of their own so that parsing does not import pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rootfruit_checks.base.paths import argument


def add_parser(commands: Any) -> None:
    """Add `coding` to the commands."""
    coding = commands.add_parser(
        "coding", help="code the themes of continuations by hand: export a sheet, import codes"
    )
    ways = coding.add_subparsers(dest="way", required=True, metavar="export|import")
    out = ways.add_parser("export", help="write a blinded, stratified sheet (CSV)")
    out.add_argument("store", type=argument, help="the directory given as --rootfruit-store")
    out.add_argument("-o", "--out", type=argument, default=Path("coding.csv"), help="the file to write")
    out.add_argument("--size", type=int, default=200, help="maximum number of continuations (default 200)")
    out.add_argument("--seed", type=int, default=0, help="seed of the sample; use the same one for all coders")
    back = ways.add_parser("import", help="import filled sheets into the store; the file name is the coder's name")
    back.add_argument("store", type=argument, help="the directory given as --rootfruit-store")
    back.add_argument("sheets", type=argument, nargs="+", metavar="SHEET", help="a filled sheet, named after its coder")
