"""The verdicts on a test's report: as in the result, and as pytest-html shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rootfruit_checks.base.types import Verdict
    from rootfruit_checks.config.settings import Settings
    from rootfruit_checks.gating.checks import Check as Declared
    from rootfruit_checks.results.check import Check


def extras(settings: Settings, rows: list[Check], page: str) -> list[Any]:
    """The extras of a pytest-html row: a link to the check in the audit page, and the verdict."""
    from pytest_html import extras as html_extras

    from rootfruit_checks.report.pytest_html import details, link
    from rootfruit_checks.report.redact import redacted_check

    only = redacted_check(rows[0], settings.redact) if len(rows) == 1 else None
    shown = [html_extras.html(details(only))] if only else []
    if settings.report:
        shown.insert(0, html_extras.url(link(only, page, settings.report), name="audit page"))
    return shown


def told(verdict: Verdict) -> Check:
    """Return a verdict as in the result; an invalid one becomes an error that says why."""
    from msgspec import ValidationError

    from rootfruit_checks.base.schema_errors import words
    from rootfruit_checks.results import check

    try:
        return check.Check.of(verdict)
    except ValidationError as error:
        # An exception in a pytest hook would end the session and lose all other verdicts.
        why = f"the verdict {verdict.verdict!r} is invalid and cannot be reported: {words(error)}"
    empty = replace(verdict, policy=None, reference=None, estimate=None, low=None, high=None, samples=(), details={})
    return check.Check.of(replace(empty, verdict="error", explain=why))


def broken(check: Declared, error: BaseException) -> Verdict:
    """The verdict of a check that raised an error before it was decided."""
    from rootfruit_checks.base.types import Verdict

    measure = check.measure
    told = str(error) if isinstance(error, pytest.fail.Exception) else f"{type(error).__name__}: {error}"
    return Verdict(
        id=check.id, benchmark=measure.benchmark, metric=measure.metric, group=check.group, n=0, clusters={},
        unscored=0, policy=None, reference=None, estimate=None, low=None, high=None, limit=measure.limit,
        verdict="error", explain=told, gated=check.gated, data="",
    )  # fmt: skip
