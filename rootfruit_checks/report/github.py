"""Output for GitHub Actions: a step summary in Markdown, and annotations for the checks that block.

The environment variables that the runner sets turn both on. The text may be hostile: `markdown` escapes the summary; in
annotations, whatever could end a line or a part of a command is escaped the way the runner expects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rootfruit_checks.base.text import plain
from rootfruit_checks.report import markdown
from rootfruit_checks.report.audit_page import sentence
from rootfruit_checks.report.markdown import code, gravity, prose
from rootfruit_checks.report.terminal import WORDS
from rootfruit_checks.results.check import Check
from rootfruit_checks.results.result import Result
from rootfruit_checks.results.run_info import Run

# GitHub accepts at most 1 MiB of summary per step, from all tools together, and drops a longer one.
_MOST_BYTES = 1024 * 1024
_MOST_ROWS, _MOST_REASONS, _MOST_NOTES = 300, 20, 20
# GitHub shows ten annotations of each kind per step; our last one says how many more there are.
_MOST_ANNOTATIONS = 10


def deliver(environment: Mapping[str, str], value: Result, written: Sequence[str] = ()) -> str:
    """Append the summary to the file that the environment names; returns what went wrong, or "".

    Args:
        environment: may set GITHUB_STEP_SUMMARY.
        value: the result.
        written: lines that name the other files that were written.

    """
    target = environment.get("GITHUB_STEP_SUMMARY")
    if not target:
        return ""
    path = Path(target)
    text = summary(value, written)
    try:
        room = _MOST_BYTES - (path.stat().st_size if path.exists() else 0)
        if len(text.encode()) >= room:
            text = f"\n## rootfruit: {prose(sentence(value))}\n\nThe summary is full: see the step's log.\n\n"
        if len(text.encode()) >= room:
            return f"GITHUB_STEP_SUMMARY: {path} is full; the summary of the gate is not in it"
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"GITHUB_STEP_SUMMARY: {path} cannot be written ({error.strerror or error})"
    return ""


def summary(value: Result, written: Sequence[str] = ()) -> str:
    """Return the summary: the verdict in one sentence, the gated checks worst first, and why they block."""
    gated = sorted(value.gated, key=gravity)
    lines = ["", f"## rootfruit: {prose(sentence(value))}", "", *_models(value.run), ""]
    lines += markdown.checks(gated, _MOST_ROWS)
    lines += ["", *markdown.reasons(gated, _MOST_REASONS)]
    if value.missing:
        lines += ["", "No verdict in this run: " + ", ".join(code(name) for name in value.missing[:_MOST_REASONS])]
        lines += markdown.more(len(value.missing), _MOST_REASONS, "checks")
    notes = value.run.notes
    if notes:
        lines += ["", "### Notes", "", *(f"- {prose(note, 600)}" for note in notes[:_MOST_NOTES])]
        lines += markdown.more(len(notes), _MOST_NOTES, "notes")
    lines += ["", "A pass covers only what was measured.", *(["", *written] if written else []), "", ""]
    return "\n".join(lines)


def _models(run: Run) -> list[str]:
    told = []
    for role in ("policy", "reference"):
        model = run.model(role)
        weights = code(model["weights"][:12]) if model.get("weights") else ""
        told.append(f"{role} {code(model['path'])} {weights}".strip() if model.get("path") else f"{role}: none")
    told += [f"{key} {code(run.settings[key])}" for key in ("data", "scale", "seed") if run.settings.get(key)]
    return ["; ".join(told)]


def commands(environment: Mapping[str, str], value: Result, *, inconclusive: str) -> list[str]:
    """Return the lines that the runner turns into annotations; none outside GitHub Actions.

    Args:
        environment: may set GITHUB_ACTIONS.
        value: the result.
        inconclusive: what an inconclusive check does to the release: fail or warn.

    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return []
    rows = sorted((row for row in value.gated if row.verdict != "pass"), key=gravity)
    kinds: dict[str, list[Check]] = {"error": [], "warning": []}
    for row in rows:
        kinds["warning" if row.verdict == "inconclusive" and inconclusive == "warn" else "error"].append(row)
    lines = []
    for kind, found in kinds.items():
        shown = found if len(found) <= _MOST_ANNOTATIONS else found[: _MOST_ANNOTATIONS - 1]
        lines += [_command(kind, f"rootfruit: {WORDS[row.verdict]} {row.id}", row.explain) for row in shown]
        if len(shown) < len(found):
            lines.append(_command(kind, "rootfruit", f"{len(found) - len(shown)} more checks: see the step's summary"))
    if not value.complete or (value.released and value.reservations):
        lines.append(_command("notice", "rootfruit", sentence(value)))
    return lines


def _command(kind: str, title: str, message: str) -> str:
    """Return one workflow command. It is one line, and its title cannot end the title or the command."""
    head = _escaped(plain(title, 200)).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={head}::{_escaped(plain(message, 1000))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
