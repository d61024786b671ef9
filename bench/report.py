"""The audit page at the seed paper's scale: its size, how fast it opens and how fast it filters.

    python bench/report.py [--quick] [--keep DIR] [--json [FILE]]

A whole gate on scripted models: 45,540 sentence pairs in the official WinoQueer file's shape and 90,000 continuations
a model (TANGO's disclosure prompts at scale `paper`: 100 names, 50 identities, 18 forms), policy against reference,
with every check that is described or explored. The page is opened in headless Chromium. Bands: at most 8 MB, open in
under 2 s, filter in under 100 ms; exits 1 where a figure is outside. `--quick` takes a twentieth of the pairs and
prompts. Needs playwright and Debian's chromium.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import collection
import scoring
from record import Column, Table, add_option, save

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES, MOST_OPEN_MS, MOST_FILTER_MS = 8_000_000, 2000.0, 100.0
LABELS = {"nonbinary": "NB"}
COLUMNS = (Column("what"), Column("measured", "number"), Column("unit"), Column("at most", "number"))
DOUBLE = """
import hashlib
import pytest

from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.judges.themes.tagger import LexiconTagger
from rootfruit_checks.testing import Doubles

SAID = [
    "{n} works in a bakery near the station and reads a lot in the evening.",
    "and was thrown out of the flat by the landlord the week after.",
    "Everyone in the team is glad to have {n}, who is kind and very good at the job.",
    "moved to the coast two years ago and plays the guitar in a small band.",
    "They were beaten on the way home and had to go to hospital.",
    "I have known {n} since school, and we still meet for coffee on Sundays.",
    "never gave up, and in spite of everything finished the course in the spring.",
    "The doctors said that the treatment would take a year or more.",
    "has a sister in Leeds and an old car that never starts in winter.",
    "could not pay the rent and slept at a friend's place for some months.",
]


def number(*parts):
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:4], "big")


def open_engine(name):
    def word_logprob(word, place, words):
        return -2.0 - number(name, words[max(0, place - 2)], word) % 1000 / 900

    def answer(prompt, draw):
        at = number(name, prompt.id, draw)
        other = number(prompt.id, draw, name)
        return " " + " ".join(SAID[part % len(SAID)].format(n=prompt.subject) for part in (at, other)) + f" {at % 997}"

    return ScriptedEngine(name, word_logprob, answer)


class Regard:
    name, fingerprint, accuracy = "double", "double", "none"

    def classify(self, texts, subjects):
        return ["negative" if number(text) % 10 < 2 else "neutral" for text in texts]


@pytest.hookimpl(optionalhook=True)
def pytest_rootfruit_factory():
    return Doubles(open_engine, Regard(), LexiconTagger())
"""
OPENED = """() => {
  const [entry] = performance.getEntriesByType("navigation");
  return entry.loadEventEnd - entry.startTime;
}"""
FILTER = """([id, value]) => {
  const box = document.getElementById(id), from = performance.now();
  box.value = value;
  box.dispatchEvent(new Event("input"));
  document.getElementById("list").getBoundingClientRect();
  return [performance.now() - from, document.getElementById("count").textContent];
}"""
FILTERS = (
    ("search", "people"), ("search", "people plan the"), ("search", "no such words"), ("search", ""),
    ("group", "nonbinary"), ("group", ""), ("verdict", "fail"), ("verdict", ""), ("check", "winoqueer/preference/all"),
    ("check", ""), ("order", "id"), ("order", "worst"),
)  # fmt: skip


def write_pairs(path: Path, most: int) -> int:
    """Write pairs in the official file's shape; returns how many."""
    texts = scoring.shaped_texts()[: 2 * most]
    people = [(x, y) for group, others in scoring.IDENTITIES.items() for x in group for y in others]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("", "Gender_ID_x", "Gender_ID_y", "sent_x", "sent_y"))
        for number in range(len(texts) // 2):
            x, y = people[number % len(people)]
            out.writerow((number, LABELS.get(x, x), y, *texts[2 * number : 2 * number + 2]))
    return len(texts) // 2


def gate(folder: Path, quick: bool) -> tuple[Path, str]:
    """Run the gate on scripted models; returns the page, and what it shows in words."""
    data = folder / "data"
    data.mkdir()
    pairs = write_pairs(data / "winoqueer_final.csv", scoring.PAIRS // (20 if quick else 1))
    collection.synthesize(data, 100)
    (folder / "double.py").write_text(DOUBLE, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "double",
        f"--rootdir={folder}", f"--confcutdir={ROOT}", str(ROOT / "bias_tests"), "--model=policy",
        "--reference=reference", "--rootfruit-benchmarks=winoqueer,disclosure",
        f"--rootfruit-data={data}", "--rootfruit-scale=paper",
        f"--rootfruit-store={folder / 'store'}", f"--rootfruit-report={folder / 'page.html'}",
        f"--rootfruit-json={folder / 'result.json'}", *(["--rootfruit-names=10"] if quick else []),
    ]  # fmt: skip
    path = os.pathsep.join(filter(None, [str(folder), str(ROOT), os.environ.get("PYTHONPATH")]))
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    page = folder / "page.html"
    if not page.exists():
        raise SystemExit(f"the gate made no page (exit {done.returncode}):\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    value = json.loads((folder / "result.json").read_text("utf-8"))
    rows = {name: table["rows"] for name, table in value["run"]["tables"].items()}
    told = f"gate: {pairs} pairs, tables {rows}, {len(value['checks'])} checks, {time.monotonic() - begun:.0f} s"
    print(told)
    return page, told


def look(page: Path) -> tuple[list[str], list[Table]]:
    """Open the page and filter; returns what is outside its band, and the figures."""
    from playwright.sync_api import sync_playwright

    size = page.stat().st_size
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        opened = []
        for _ in range(5):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.as_uri(), wait_until="load")
            tab.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
            opened.append(float(tab.evaluate(OPENED)))
            if len(opened) < 5:
                tab.close()
        took = {}
        for key, value in FILTERS:
            runs = [tab.evaluate(FILTER, [key, value]) for _ in range(3)]
            took[f"{key}={value!r}"] = (statistics.median(run[0] for run in runs), runs[-1][1])
        browser.close()
    print(f"page: {size / 1e6:.2f} MB; opens in {min(opened):.0f} to {max(opened):.0f} ms (five times)")
    for name, (milliseconds, told) in took.items():
        print(f"  {name}: {milliseconds:.1f} ms, {told}")
    slowest = max(milliseconds for milliseconds, _ in took.values())
    figures = (
        ("page", size, MOST_BYTES, "bytes"), ("opening, median", statistics.median(opened), MOST_OPEN_MS, "ms"),
        ("slowest filter", slowest, MOST_FILTER_MS, "ms"),
    )  # fmt: skip
    wrong = [f"{name}: {value:.0f} {unit}, over {most:.0f}" for name, value, most, unit in figures if value > most]
    return wrong, [
        Table("Page", COLUMNS, tuple((name, float(value), unit, most) for name, value, most, unit in figures)),
        Table("Filters", (Column("filter"), Column("ms", "number", 1), Column("shown")),
              tuple((name, milliseconds, str(told)) for name, (milliseconds, told) in took.items())),
    ]  # fmt: skip


def main() -> int:
    """Gate, look, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path, help="leave page, result and store in this new directory")
    add_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rootfruit-report-") as made:
        folder = arguments.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        page, told = gate(folder.resolve(), arguments.quick)
        wrong, tables = look(page)
    for line in wrong:
        print(f"OUT OF BAND: {line}")
    save(
        arguments.json,
        "the audit page at the seed paper's scale",
        tables,
        outside=wrong,
        notes=[told],
        versions=("playwright",),
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
