"""Every option with values that it cannot have."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import forked
from targets import gate

# For options of every kind. A text takes most of them.
VALUES = (
    "",
    " ",
    "abc",
    "-1",
    "nan",
    "inf",
    "1e999",
    "9" * 400,
    "[" * 5000,
    "a" * 5000,
    "\ud800",
    "\n::error::x",
    "%s %",
    "{}",
)
_FREE = {"text", "path"}


def run(folder: Path, show: bool) -> Counter[str]:
    """Try them all; what may be is not judged, only how it ends."""
    from rootfruit_checks.config.options import OPTIONS

    counts: Counter[str] = Counter()
    for number, option in enumerate(OPTIONS):
        # Four of them each: over all options every value is tried often.
        for at, value in enumerate(random.Random(number).sample(VALUES, 4)):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "conftest_double.py").write_text("")
            (folder / "test_x.py").write_text("def test_x():\n    pass\n")
            (folder / "pytest.ini").write_text("[pytest]\n")
            given = option.flag if option.kind == "switch" else f"{option.flag}={value}"
            if option.kind == "switch" and at:
                break
            # A whole plan of the run takes its time.
            done = forked.run(gate(given, "--co", "test_x.py"), folder, 300.0 if option.key == "plan" else 30.0)
            verdict = done.fault or ("accepted" if done.status == 0 else "refused")
            counts[f"option: {verdict}" if not done.fault else verdict] += 1
            if show or done.fault:
                print(f"option {given[:60]!r}: {verdict} ({done.status})", flush=True)
                print("    " + (done.err or done.out).strip()[-800:], flush=True)
    return counts
