"""`rootfruit`: the data that gates need, plans, what a store holds, and shards joined and gated."""

from __future__ import annotations

import argparse
import subprocess
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
    plan = commands.add_parser(
        "plan",
        help="say what a run would cost and could show, before paying for it",
        usage="rootfruit plan [--from RESULT] [--json FILE] [--probe HOW] [PYTEST ARGS]",
    )
    plan.add_argument("--from", dest="earlier", metavar="RESULT", help="plan with the variances of this JSON result")
    plan.add_argument("--json", metavar="FILE", help="write the plan as JSON here")
    plan.add_argument("--probe", choices=("auto", "always", "never"), help="time about ten seconds of the named model")
    merge = commands.add_parser(
        "merge",
        help="join the stores of all shards and gate once",
        usage="rootfruit merge DIR... --into STORE [--json FILE] [-- PYTEST ARGS]",
    )
    merge.add_argument("shards", type=Path, nargs="+", metavar="DIR", help="a shard's --rootfruit-store")
    merge.add_argument("--into", type=Path, required=True, metavar="STORE", help="the store to make")
    merge.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON here")
    return parser


def _merge(shards: Sequence[Path], into: Path, json: Path | None, extra: Sequence[str]) -> int:
    from rootfruit_checks import merge

    joined = merge.join(shards, into)
    for note in joined.notes:
        print(f"note: {note}")
    print(f"{into}: {joined.units} units of {joined.manifest.count} shards; gating them", flush=True)
    return merge.gate(joined, into, json, extra)


def _plan(arguments: argparse.Namespace, extra: Sequence[str]) -> int:
    """Let pytest read the settings, from wherever it reads those of a run."""
    given = {"from": arguments.earlier, "json": arguments.json, "probe": arguments.probe}
    options = [f"--rootfruit-plan-{key}={value}" for key, value in given.items() if value]
    command = [sys.executable, "-m", "pytest", "--rootfruit-plan", *options, *extra]
    status = subprocess.run(command, check=False).returncode
    return status if status >= 0 else 1


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
    """Run the command line; returns the exit status: 0, 1 for an error told in one line, 2 for wrong usage.

    `plan` ends with pytest's status, and `merge`, once it gates.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    # What follows -- is pytest's.
    cut = given.index("--") if given[:1] == ["merge"] and "--" in given else len(given)
    parser = _parser()
    # A plan takes the settings of a run: pytest reads what is not its own.
    arguments, extra = parser.parse_known_args(given[:cut])
    if extra and arguments.command != "plan":
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    try:
        if arguments.command == "plan":
            return _plan(arguments, [argument for argument in extra if argument != "--"])
        if arguments.command == "merge":
            return _merge(arguments.shards, arguments.into, arguments.json, given[cut + 1 :])
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
