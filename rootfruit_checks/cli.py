"""`rootfruit`: data, instruments, plans, templates; what a store holds; shards joined; reports; releases over time."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rootfruit_checks import __version__
from rootfruit_checks.errors import ConfigError, RootfruitError, StoreError


def _parser() -> argparse.ArgumentParser:
    from rootfruit_checks.benchmarks.fetch import add_data_parser
    from rootfruit_checks.history import add_parser as add_history_parser
    from rootfruit_checks.narratives.coding_parser import add_parser as add_coding_parser

    parser = argparse.ArgumentParser(prog="rootfruit", description=__doc__)
    parser.add_argument("--version", action="version", version=f"rootfruit-checks {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_data_parser(commands)
    export = commands.add_parser("export", help="copy a store's tables of measurements to one Parquet file")
    export.add_argument("store", type=Path, help="the directory given as --rootfruit-store")
    export.add_argument("out", type=Path, help="the Parquet file to write")
    template = commands.add_parser("template", help="write a small package with a benchmark of your own, and its tests")
    template.add_argument("folder", type=Path, metavar="DIR", help="the directory to make; it names the package")
    template.add_argument("--kind", choices=("pairs", "prompts"), default="pairs", help="sentences or prompts")
    audit = commands.add_parser("audit", help="show the shifts and errors of the instruments themselves")
    audit.add_argument("--regard", default="mini", metavar="WHICH", help="mini, hub:ID@REVISION or local:DIR")
    audit.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON here")
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
    add_history_parser(commands)
    add_coding_parser(commands)
    merge.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON here")
    report = commands.add_parser(
        "report", help="make the audit page of a store or result, a page that compares several, a model card, or verify"
    )
    report.add_argument(
        "source", type=Path, nargs="*", help="a --rootfruit-store or a --rootfruit-json file; several are compared"
    )
    report.add_argument("-o", "--out", type=Path, help="the file to write (default: report.html, or card.md)")
    report.add_argument("--all", action="store_true", help="of several: exploratory checks too")
    report.add_argument("--other-data", action="store_true", help="of several: compare runs of different data too")
    report.add_argument(
        "--redact", choices=("none", "slurs", "all"), default="none", help="of one: withhold texts of its samples"
    )
    report.add_argument("--model-card", action="store_true", help="write a section for a model card instead")
    report.add_argument("--verify", type=Path, metavar="PAGE", help="check that a page is as it was made")
    report.add_argument("--digest", help="with --verify: the digest from the run's log or JSON")
    return parser


def _report(arguments: argparse.Namespace) -> int:
    from rootfruit_checks.report import keeping

    sources: list[Path] = arguments.source
    out: Path | None = arguments.out
    page: Path | None = arguments.verify
    digest: str | None = arguments.digest

    if page is None:
        if not sources or digest is not None or (arguments.model_card and len(sources) > 1):
            raise ConfigError(
                "report needs a store or result to make a page of, several to compare, one with --model-card, or "
                "--verify PAGE [--digest DIGEST]"
            )
        if arguments.model_card:
            return _card(sources[0], out or Path("card.md"))
        target = out or Path("report.html")
        if len(sources) > 1:
            from rootfruit_checks.report import compare

            print(compare.write(target, sources, everything=arguments.all, other_data=arguments.other_data))
            return 0
        print(f"{target} (digest {keeping.write_page(target, keeping.read(sources[0]), arguments.redact)})")
        return 0
    from rootfruit_checks.report.audit import verify

    if not page.exists():
        raise StoreError(f"{page}: does not exist; name an audit page (HTML)")
    try:
        wrong = verify(page.read_text("utf-8"), digest)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{page}: is not readable ({error})") from error
    for line in wrong:
        print(f"{page}: {line}", file=sys.stderr)
    if not wrong:
        held = (
            "" if digest else "; without --digest this tells damage only: who changes a page can change its digest too"
        )
        print(f"{page}: is as it was made{held}")
    return 1 if wrong else 0


def _card(source: Path, out: Path) -> int:
    from rootfruit_checks.report import keeping
    from rootfruit_checks.report.card import card

    text = card(keeping.read(source))
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error})") from error
    print(f"{out}: a section for a model card, with its metadata")
    return 0


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

    # Tokens of pairs have other columns, and lie beside the tables of measurements.
    tables = sorted(path for path in (store / "tables").glob("*.parquet") if not path.stem.endswith("-tokens"))
    if not store.exists():
        raise StoreError(f"{store}: does not exist; name a store directory")
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


def _template(folder: Path, kind: str) -> int:
    from rootfruit_checks.template import write

    for file in write(folder, kind):
        print(file)
    print(f"Next: cd {folder}, pytest, and the README there")
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
        if arguments.command == "history":
            from rootfruit_checks import history

            for line in history.lines(arguments.files, arguments.all, arguments.plot):
                print(line)
            return 0
        if arguments.command == "export":
            return _export(arguments.store, arguments.out)
        if arguments.command == "template":
            return _template(arguments.folder, arguments.kind)
        if arguments.command == "audit":
            from rootfruit_checks.audit_table import audit

            return audit(arguments.regard, arguments.json)
        if arguments.command == "report":
            return _report(arguments)
        if arguments.command == "coding":
            from rootfruit_checks.narratives.coding import run

            return run(arguments)
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
