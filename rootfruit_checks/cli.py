"""`rootfruit`: the data that gates need, and what a store holds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rootfruit_checks import __version__
from rootfruit_checks.errors import RootfruitError, StoreError


def _parser() -> argparse.ArgumentParser:
    from rootfruit_checks.benchmarks.fetch import add_data_parser

    parser = argparse.ArgumentParser(prog="rootfruit", description=__doc__)
    parser.add_argument("--version", action="version", version=f"rootfruit-checks {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_data_parser(commands)
    export = commands.add_parser("export", help="copy a store's tables of measurements to one Parquet file")
    export.add_argument("store", type=Path, help="the directory given as --rootfruit-store")
    export.add_argument("out", type=Path, help="the Parquet file to write")
    return parser


def _export(store: Path, out: Path) -> int:
    import pandas as pd

    tables = sorted((store / "tables").glob("*.parquet"))
    if not tables:
        raise StoreError(f"{store}: holds no tables; run a gate with --rootfruit-store={store} first")
    try:
        frames = [pd.read_parquet(path).assign(table=path.stem) for path in tables]
    except (OSError, ValueError) as error:
        raise StoreError(f"{store}: a table is not readable ({error}); delete it and run the gate again") from error
    frame = pd.concat(frames, ignore_index=True)
    try:
        frame.to_parquet(out, index=False)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error})") from error
    print(f"{out}: {len(frame)} measurements from {len(tables)} tables")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for an error told in one line, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "export":
            return _export(arguments.store, arguments.out)
        from rootfruit_checks.benchmarks.fetch import run_data

        return run_data(arguments)
    except RootfruitError as error:
        print(f"rootfruit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rootfruit: interrupted; what was finished is kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
