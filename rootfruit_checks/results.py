"""Gathers the verdicts of a session on its leading process, and writes them out at the end.

The methods bear pytest's hook names and are registered by the plugin; nothing here imports pytest, so tests drive it
directly with plain objects.
"""

from __future__ import annotations

import sys
from typing import Any

from rootfruit_checks.settings import Settings

_RETRIED = "failed tests are retried in this session: a statistical gate that is retried until green decides nothing"


class Results:
    """Verdicts by check id, and the run that made them."""

    def __init__(self, settings: Settings, retried: bool = False) -> None:
        self.settings = settings
        self.retried = retried
        self.rows: dict[str, dict[str, Any]] = {}
        self.run: dict[str, Any] | None = None
        self.concerned = False

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def pytest_report_header(self) -> list[str]:
        """Say what is gated, where anything is."""
        settings = self.settings
        if not settings.model:
            return []
        from rootfruit_checks.report.summary import named_model

        reference = named_model(settings.reference) if settings.reference else "none (ceilings only)"
        return [
            f"rootfruit: policy {named_model(settings.model)}",
            f"rootfruit: reference {reference}",
            f"rootfruit: data {settings.data}, scale {settings.scale}, engine {settings.engine}, "
            f"{settings.dtype}, seed {settings.seed}, store {settings.store}",
        ]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take the plain values that a worker, or this process, hung on a report."""
        held = getattr(report, "rootfruit", None)
        if not held:
            return
        self.concerned = True
        for row in held["rows"]:
            self.rows[row["id"]] = row
        self.run = held["run"] or self.run

    def pytest_sessionfinish(self) -> None:
        """Write the JSON result."""
        if self.concerned and self.settings.json:
            from rootfruit_checks.report.summary import write

            try:
                write(self.settings.json, self.value())
            except OSError as error:
                sys.stderr.write(f"rootfruit: {self.settings.json}: cannot be written ({error})\n")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table, and what it means for the release."""
        if not self.concerned:
            return
        from rootfruit_checks.report import summary

        value = self.value()
        out = terminalreporter
        out.section("rootfruit", sep="=")
        if self.run:
            for line in summary.header(self.run):
                out.write_line(line)
            out.write_line("")
        gated = [row for row in value["checks"] if row["gated"]]
        described = [row for row in value["checks"] if not row["gated"] and summary.is_declared(row)]
        defaults = summary.default_thresholds(value["checks"])
        for line in summary.table([*gated, *described], defaults, width=max(80, out._tw.fullwidth)):
            word = line.rsplit(" ", 1)[-1]
            out.write_line(line, green=word == "pass", red=word in {"FAIL", "ERROR"}, yellow=word == "INCONCLUSIVE")
        hidden = len(value["checks"]) - len(gated) - len(described)
        if hidden:
            out.write_line(f"… and {hidden} exploratory estimates, not gated: see --rootfruit-json")
        for line in summary.closing(value):
            out.write_line(line)
        if self.settings.json:
            out.write_line(f"result: {self.settings.json}")

    # -- what it all comes to ------------------------------------------------------------------------------------------

    def value(self) -> dict[str, Any]:
        """The JSON result of the session so far."""
        from rootfruit_checks.checks import family
        from rootfruit_checks.report.summary import result

        blocking = {"fail", "error"} | ({"inconclusive"} if self.settings.inconclusive == "fail" else set())
        blocked = any(row["gated"] and row["verdict"] in blocking for row in self.rows.values())
        declared = [check.id for check in family(self.settings) if check.gated]
        run = dict(self.run) if self.run else None
        if run is not None and self.retried:
            run["notes"] = [*run["notes"], _RETRIED]
        return result(self.rows.values(), run, declared=declared, blocked=blocked)
