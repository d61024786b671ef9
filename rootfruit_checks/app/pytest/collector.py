"""Collects the verdicts of a session in its main process, and writes them out at the end.

The plugin registers the methods, which have the names of pytest hooks. Nothing here imports pytest, so tests can call
them with plain objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rootfruit_checks.base.console import complain
from rootfruit_checks.base.types import RunInfo
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.runs.baseline_file import Kept, keep

if TYPE_CHECKING:
    from rootfruit_checks.results.check import Check
    from rootfruit_checks.results.result import Result, Shard
    from rootfruit_checks.results.run_info import Run
    from rootfruit_checks.results.views import Views
    from rootfruit_checks.runs.baseline_types import ToKeep

_RETRIED = "failed tests are retried in this session: a statistical gate that is retried until it passes has no meaning"

# Options that show tests without running them.
ONLY_LOOKS = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")

# If a check has two verdicts (a user's test may request a declared check), the more severe one is kept.
_GRAVITY = ("none", "pass", "inconclusive", "fail", "error")


@dataclass(frozen=True, slots=True)
class Share:
    """The progress of a shard as one process reports it: see `runs/shard.py`."""

    index: int
    count: int
    computed: int
    found: int
    complete: bool
    process: int


class Results:
    """Verdicts by check id, and the run that produced them."""

    def __init__(self, settings: Settings, retried: bool = False) -> None:
        self.settings = settings
        self.retried = retried
        self.rows: dict[str, Check] = {}
        self.run: Run | None = None
        self.views: Views | None = None
        # Process -> its report on the shard (one of several processes computes it; the others find it stored).
        self.shares: dict[int, Share] = {}
        self.concerned = False
        self.to_keep: ToKeep | None = None
        self.kept: Kept | None = None
        self.digest = ""
        self.written = False
        # Checks whose reasons pytest prints with the failed tests.
        self.printed: set[str] = set()

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def pytest_report_header(self, config: Any) -> list[str]:
        """Say what is gated, if anything. Weights are hashed only if they are going to be used."""
        settings = self.settings
        if not settings.model:
            return []
        from rootfruit_checks.base.text import plain
        from rootfruit_checks.report.terminal import named_model

        hashed = not config.getoption("collectonly", default=False)
        reference = named_model(settings.reference_name, hashed) if settings.reference else "none"
        whose = " (our own prompts, not the community-made sets)" if settings.data == "starter" else ""
        index, count = settings.shard or (1, 1)
        part = [f"rootfruit: shard {index}/{count}: computes its share, without a gate"] if settings.shard else []
        lines = [
            *part,
            f"rootfruit: policy {named_model(settings.model, hashed)}",
            f"rootfruit: reference {reference}",
            f"rootfruit: data {plain(settings.data)}{whose}, scale {settings.scale}, engine {settings.engine}, "
            f"{settings.dtype}, seed {settings.seed}, store {settings.store}",
        ]
        return [plain(line) for line in lines]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Read the plain values that a worker or this process attached to a report, and convert them to types."""
        held = getattr(report, "rootfruit", None)
        if not held:
            return
        from msgspec import convert

        from rootfruit_checks.results.check import Check
        from rootfruit_checks.results.run_info import Run
        from rootfruit_checks.results.views import Views
        from rootfruit_checks.runs.baseline_types import ToKeep

        self.concerned = True
        if held["share"]:
            share = Share(**held["share"])
            self.shares[share.process] = share
        rows = convert(held["rows"], list[Check])
        for row in rows:
            before = self.rows.get(row.id)
            if before is None or _GRAVITY.index(row.verdict) >= _GRAVITY.index(before.verdict):
                self.rows[row.id] = row
        if getattr(report, "failed", False):
            self.printed |= {row.id for row in rows}
        self.run = convert(held["run"], Run) if held["run"] else self.run
        self.views = convert(held["views"], Views) if held.get("views") else self.views
        self.to_keep = convert(held["to_keep"], ToKeep) if held.get("to_keep") else self.to_keep

    def finish(self, *, looking: bool = False) -> bool:
        """Write the results; returns False if one could not be written, or if a shard is incomplete."""
        well = looking or not self.settings.shard or self._share().complete
        if not self.concerned:
            return well
        from rootfruit_checks.report.result_file import deliver

        self.digest, lost = deliver(self.settings, self.value())
        self.written = bool(self.settings.json) and not any(line.startswith(f"{self.settings.json}: ") for line in lost)
        for line in lost:
            complain("")
            complain(f"rootfruit: {line}")
        if not self.settings.shard:
            self._tell_github()
        if self.settings.save_baseline:
            self.kept = keep(self.settings, self.to_keep, self.value())
        return well and not lost and not (self.kept and self.kept.lost)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table and the decision on the release."""
        from rootfruit_checks.base.text import plain

        out = terminalreporter

        def write(line: str, **marks: bool) -> None:
            # These lines may contain text from models, servers and other packages.
            out.write_line(plain(line, 20_000), **marks)

        if self.settings.shard and (self.concerned or self.settings.model):
            out.section("rootfruit", sep="=")
            write(self._share_line())
        if self.settings.shard or not self.concerned:
            return
        from rootfruit_checks.report import terminal
        from rootfruit_checks.report.side_by_side import block

        value = self.value()
        out.section("rootfruit", sep="=")
        width = max(80, out._tw.fullwidth)

        def write_wrapped(lines: Iterable[str]) -> None:
            for line in lines:
                for part in terminal.wrapped(plain(line, 20_000), width):
                    write(part)

        write_wrapped(terminal.header(value.run))
        write("")
        gated = value.gated
        described = [row for row in value.checks if not row.gated and terminal.is_declared(row)]
        defaults = terminal.default_limits(value.checks)
        for line in terminal.table([*gated, *described], defaults, width=width):
            word = line.rsplit(" ", 1)[-1]
            write(line, green=word == "pass", red=word in {"FAIL", "ERROR"}, yellow=word == "INCONCLUSIVE")
        hidden = len(value.checks) - len(gated) - len(described)
        if hidden:
            write(f"… and {hidden} exploratory estimates, not gated: see --rootfruit-json")
        for line in block(value.combined) if value.combined else ():
            write(line)
        # --tb=no leaves those reasons out.
        style = getattr(terminalreporter.config.option, "tbstyle", "auto")
        write_wrapped(terminal.closing(value, self.printed if style != "no" else ()))
        if self.digest:
            write(f"report: {self.settings.report} (digest {self.digest})")
        if self.written:
            write(f"result: {self.settings.json}")
        if self.kept:
            write(self.kept.line, red=self.kept.lost)
        from rootfruit_checks.report.github import commands

        for line in commands(os.environ, value, inconclusive=self.settings.inconclusive):
            out.write_line(line)

    # -- the result ----------------------------------------------------------------------------------------------------

    def value(self) -> Result:
        """The result of the session so far."""
        from msgspec import structs

        from rootfruit_checks.gating.checks import family
        from rootfruit_checks.gating.reservations import reservations
        from rootfruit_checks.results.narratives import Narratives
        from rootfruit_checks.results.result import result
        from rootfruit_checks.results.run_info import Run
        from rootfruit_checks.results.views import Intersections
        from rootfruit_checks.runs.side_by_side import NOTHING, combine

        run = self.run or Run.of(self._asked())
        if self.retried:
            run = structs.replace(run, notes=[*run.notes, _RETRIED])
        made = partial(
            result,
            self.rows.values(),
            run,
            declared=[check.id for check in family(self.settings) if check.gated],
            blocked=self.blocked(),
            reservations=reservations(self.settings, self.rows.values()),
        )
        if self.settings.shard:
            return made(shard=self._share())
        views = self.views
        return made(
            combined=combine(self.rows.values(), views.agreement if views else None),
            intersections=views.intersections if views else Intersections(not_measured=NOTHING),
            narratives=views.narratives if views else Narratives(not_measured=NOTHING),
        )

    def blocked(self) -> bool:
        """Whether any gated check blocks the release."""
        from rootfruit_checks.gating.decision import blocks

        how = self.settings.inconclusive
        return any(row.gated and blocks(row.verdict, how) for row in self.rows.values())

    def _tell_github(self) -> None:
        """Append to the step summary. No option requests it, so a failure is reported but does not block."""
        from rootfruit_checks.report.github import deliver
        from rootfruit_checks.report.markdown import code

        written = [f"result: {code(str(self.settings.json))}"] if self.written else []
        if self.digest and self.settings.report:
            written.insert(0, f"audit page: {code(self.settings.report)}, digest `{self.digest}`")
        if lost := deliver(os.environ, self.value(), ["; ".join(written)] if written else []):
            complain("")
            complain(f"rootfruit: {lost}")

    def _share(self) -> Shard:
        """The outcome of this session's shard."""
        from rootfruit_checks.results.result import Shard

        index, count = self.settings.shard or (1, 1)
        told = list(self.shares.values())
        computed = sum(share.computed for share in told)
        every = max((share.computed + share.found for share in told), default=0)
        complete = any(share.complete for share in told)
        return Shard(index=index, count=count, complete=complete, computed=computed, found=every - computed)

    def _share_line(self) -> str:
        share = self._share()
        what = f"{share.computed} units computed, {share.found} already stored"
        if not share.complete:
            what = "is not complete; finished units are kept, and another run with this store continues"
        return f"shard {share.index}/{share.count}: {what}; no gate"

    def _asked(self) -> RunInfo:
        """The requested run: all that is known if an error occurred before anything was measured."""
        settings = self.settings
        return RunInfo(
            policy={"path": settings.model} if settings.model else {},
            reference={"path": settings.reference_name} if settings.reference else None,
            data={"scale": settings.scale, **dict.fromkeys(settings.benchmarks, settings.data)},
            settings=settings.explain(),
            instruments={},
        )
