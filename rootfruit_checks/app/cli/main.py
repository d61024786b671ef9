"""The `rootfruit` command: gate, plan, merge shards, make reports, compare releases, fetch data, write templates."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rootfruit_checks.base.console import complain, say
from rootfruit_checks.base.errors import ConfigError, RootfruitError, StoreError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.paths import argument
from rootfruit_checks.base.version import __version__
from rootfruit_checks.config.parsing import regard
from rootfruit_checks.observations.stored_frames import load_frame
from rootfruit_checks.runs import pytest_process
from rootfruit_checks.runs.outputs import distinct, writable


class _Parser(argparse.ArgumentParser):
    """A parser that reports errors as one escaped line: arguments may be hostile file names."""

    def error(self, message: str) -> NoReturn:
        from rootfruit_checks.base.text import plain

        super().error(plain(message, 4000))


def _parser() -> argparse.ArgumentParser:
    from rootfruit_checks.app.cli.coding_parser import add_parser as add_coding_parser
    from rootfruit_checks.data.download import add_data_parser
    from rootfruit_checks.report.history import add_parser as add_history_parser

    parser = _Parser(prog="rootfruit", description=__doc__)
    parser.add_argument("--version", action="version", version=f"rootfruit-checks {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_data_parser(commands)
    export = commands.add_parser("export", help="copy a store's tables of measurements to one Parquet file")
    export.add_argument("store", type=argument, help="the directory given as --rootfruit-store")
    export.add_argument("out", type=argument, help="the Parquet file to write")
    template = commands.add_parser("template", help="write a small package with a benchmark of your own, and its tests")
    template.add_argument("folder", type=argument, metavar="DIR", help="the directory to make; it names the package")
    template.add_argument("--kind", choices=("pairs", "prompts"), default="pairs", help="sentences or prompts")
    audit = commands.add_parser("audit", help="show the bias and errors of the instruments")
    audit.add_argument("--regard", default="mini", metavar="WHICH", help="mini, hub:ID@REVISION or local:DIR")
    audit.add_argument("--json", type=argument, metavar="FILE", help="write all figures as JSON here")
    gate = commands.add_parser(
        "gate",
        help="run the shipped suite on a policy and its reference",
        usage="rootfruit gate POLICY [REFERENCE] [PYTEST ARGUMENTS]",
        description="Runs pytest --pyargs rootfruit_checks.bias_tests; the exit status is pytest's.",
    )
    gate.add_argument("policy", metavar="POLICY", help="the model to release: directory, adapter, Hub id or address")
    gate.add_argument(
        "reference", metavar="REFERENCE", nargs="?", help="the model it was aligned from (an adapter's: its base)"
    )
    plan = commands.add_parser(
        "plan",
        help="show what a run would cost and could detect, without running it",
        usage="rootfruit plan [--from RESULT] [--json FILE] [--probe HOW] [PYTEST ARGS]",
    )
    plan.add_argument("--from", dest="earlier", metavar="RESULT", help="plan with the variances of this JSON result")
    plan.add_argument("--json", metavar="FILE", help="write the plan as JSON here")
    plan.add_argument("--probe", choices=("auto", "always", "never"), help="time about ten seconds of the named model")
    merge = commands.add_parser(
        "merge",
        help="join the stores of all shards and gate on them",
        usage="rootfruit merge DIR... --into STORE [--json FILE] [-- PYTEST ARGS]",
    )
    merge.add_argument("shards", type=argument, nargs="+", metavar="DIR", help="the --rootfruit-store of a shard")
    merge.add_argument("--into", type=argument, required=True, metavar="STORE", help="the store to make")
    commands.add_parser("schema", help="print the JSON Schema of the JSON result")
    add_history_parser(commands)
    add_coding_parser(commands)
    merge.add_argument("--json", type=argument, metavar="FILE", help="write the result as JSON here")
    report = commands.add_parser(
        "report", help="make an audit page, a comparison of several results or a model card; or verify a page"
    )
    report.add_argument(
        "source", type=argument, nargs="*", help="a --rootfruit-store or a --rootfruit-json file; several are compared"
    )
    report.add_argument("-o", "--out", type=argument, help="the file to write (default: report.html, or card.md)")
    report.add_argument("--all", action="store_true", help="with several results: include exploratory checks")
    report.add_argument("--other-data", action="store_true", help="with several results: even if their data differ")
    report.add_argument(
        "--redact",
        choices=("none", "slurs", "all"),
        default="none",
        help="with one result: withhold texts of its samples",
    )
    report.add_argument("--model-card", action="store_true", help="write a section for a model card instead")
    report.add_argument("--verify", type=argument, metavar="PAGE", help="check that a page is unchanged")
    report.add_argument("--digest", help="with --verify: the digest from the run's log or JSON")
    return parser


def _report(arguments: argparse.Namespace) -> int:
    from rootfruit_checks.report import result_file

    sources: list[Path] = arguments.source
    out: Path | None = arguments.out
    page: Path | None = arguments.verify
    digest: str | None = arguments.digest

    if page is None:
        if not sources or digest is not None or (arguments.model_card and len(sources) > 1):
            raise ConfigError(
                "report needs one store or result, several to compare, one with --model-card, or "
                "--verify PAGE [--digest DIGEST]"
            )
        target = out or Path("card.md" if arguments.model_card else "report.html")
        distinct(
            target, [source / result_file.RESULT if source.is_dir() else source for source in sources], "option --out"
        )
        if arguments.model_card:
            return _card(sources[0], target)
        if len(sources) > 1:
            from rootfruit_checks.report import compare

            say(compare.write(target, sources, everything=arguments.all, other_data=arguments.other_data))
            return 0
        value = result_file.read(sources[0])
        try:
            say(f"{target} (digest {result_file.write_page(target, value, arguments.redact)})")
        except OSError as error:
            raise StoreError(f"{target}: cannot be written ({error})") from error
        return 0
    from rootfruit_checks.base import untrusted
    from rootfruit_checks.report.audit_page import verify

    if not untrusted.is_there(page):
        raise StoreError(f"{untrusted.shown(page)}: no such file or directory; name an audit page (HTML)")
    wrong = verify(untrusted.read_text(page, StoreError, limit=untrusted.PAGE_LIMIT), digest)
    for line in wrong:
        complain(f"{page}: {line}")
    if not wrong:
        held = "" if digest else "; without --digest this detects only damage: who edits a page can edit its digest"
        say(f"{page}: is unchanged{held}")
    return 1 if wrong else 0


def _card(source: Path, out: Path) -> int:
    from rootfruit_checks.report import result_file
    from rootfruit_checks.report.model_card import card

    text = card(result_file.read(source))
    try:
        write_atomic(out, text)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error})") from error
    say(f"{out}: a section for a model card, with its metadata")
    return 0


def _merge(shards: Sequence[Path], into: Path, json: Path | None, extra: Sequence[str]) -> int:
    from rootfruit_checks.runs import merge

    if json:
        writable(json, "option --json")
    joined = merge.join(shards, into)
    for note in joined.notes:
        say(f"note: {note}")
    say(f"{into}: {joined.units} units from {joined.manifest.count} shards; running the gate")
    return merge.gate(joined, into, json, extra)


def _plan(arguments: argparse.Namespace, extra: Sequence[str]) -> int:
    """Let pytest read the settings, from the same places as for a run."""
    given = {"from": arguments.earlier, "json": arguments.json, "probe": arguments.probe}
    options = [f"--rootfruit-plan-{key}={value}" for key, value in given.items() if value]
    return pytest_process.pytest(["--rootfruit-plan", *options, *extra])


def _gate(parser: argparse.ArgumentParser, given: Sequence[str]) -> int:
    """Run the shipped suite. Everything after the models is passed on to pytest."""
    rest = list(given)
    models: list[str] = []
    while rest and len(models) < 2 and not rest[0].startswith("-"):
        models.append(rest.pop(0))
    if not models:
        parser.parse_args(["gate", *rest[:1]])  # --help, or what is missing
        raise ConfigError("gate needs the policy first: rootfruit gate POLICY [REFERENCE] [PYTEST ARGUMENTS]")
    named = [f"--rootfruit-{role}={name}" for role, name in zip(("model", "reference"), models, strict=False)]
    return pytest_process.pytest([*pytest_process.SUITE, *named, *(argument for argument in rest if argument != "--")])


def _export(store: Path, out: Path) -> int:
    from rootfruit_checks.base import untrusted
    from rootfruit_checks.observations.frame import joined
    from rootfruit_checks.store.store import Store

    writable(out, "export")
    if not untrusted.is_there(store):
        raise StoreError(f"{untrusted.shown(store)}: no such file or directory; name a store directory")
    with Store.existing(store) as held:
        # Token tables have other columns and are stored next to the tables of measurements.
        tables = [name for name in held.table_names() if not name.endswith("-tokens")]
        found = {name: load_frame(held, name) for name in tables}
    distinct(out, [store / "tables" / f"{name}.parquet" for name in tables], "export")
    if lacking := [name for name, frame in found.items() if frame is None]:
        raise StoreError(f"{store}: its table {lacking[0]} is missing; run the gate again")
    frames = {name: frame for name, frame in found.items() if frame is not None}
    if not frames:
        raise StoreError(f"{store}: holds no tables; run a gate with --rootfruit-store={store} first")
    named = [name for name, frame in frames.items() for _ in range(len(frame))]
    frame = joined(frames.values()).assign(table=named)
    content = io.BytesIO()
    try:
        frame.to_parquet(content, index=False)
        write_atomic(out, content.getvalue())
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error})") from error
    say(f"{out}: {len(frame)} measurements from {len(frames)} tables")
    return 0


def _schema() -> int:
    import json

    from rootfruit_checks.results.schema import result_schema

    for line in json.dumps(result_schema(), indent=1).splitlines():
        say(line)
    return 0


def _template(folder: Path, kind: str) -> int:
    from rootfruit_checks.app.cli.scaffold import write

    for file in write(folder, kind):
        say(str(file))
    say(f"Next: cd {folder}, pytest, and the README there")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for an error (one line), 2 for wrong usage.

    If the reader of a pipe exits early, it is 141, as in shells. `plan` returns pytest's status, and so does `merge`
    once it gates.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    # Arguments after -- are for pytest.
    cut = given.index("--") if given[:1] == ["merge"] and "--" in given else len(given)
    parser = _parser()
    if given[:1] == ["gate"]:
        try:
            return _gate(parser, given[1:])
        except ConfigError as error:
            parser.error(str(error))
    # A plan takes the options of a run: pytest reads those that are not its own.
    arguments, extra = parser.parse_known_args(given[:cut])
    if extra and arguments.command != "plan":
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    try:
        if arguments.command == "plan":
            return _plan(arguments, [argument for argument in extra if argument != "--"])
        if arguments.command == "merge":
            return _merge(arguments.shards, arguments.into, arguments.json, given[cut + 1 :])
        if arguments.command == "history":
            from rootfruit_checks.report import history

            for line in history.lines(arguments.files, arguments.all, arguments.plot):
                say(line)
            return 0
        if arguments.command == "export":
            return _export(arguments.store, arguments.out)
        if arguments.command == "schema":
            return _schema()
        if arguments.command == "template":
            return _template(arguments.folder, arguments.kind)
        if arguments.command == "audit":
            from rootfruit_checks.app.cli.audit import audit

            if arguments.json:
                writable(arguments.json, "option --json")
            return audit(regard("option --regard", arguments.regard), arguments.json)
        if arguments.command == "report":
            return _report(arguments)
        if arguments.command == "coding":
            from rootfruit_checks.app.cli.coding import run

            return run(arguments)
        from rootfruit_checks.data.download import run_data

        return run_data(arguments)
    except RootfruitError as error:
        complain(f"rootfruit: {error}")
        return 1
    except KeyboardInterrupt:
        complain("rootfruit: interrupted; what was finished is kept")
        return 130
    except BrokenPipeError:
        # The reader stopped early, as `head` does. Flushing the buffer at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as if SIGPIPE had ended it


if __name__ == "__main__":
    raise SystemExit(main())
