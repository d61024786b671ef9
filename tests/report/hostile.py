"""What the tests of reports share: hostile payloads, a whole made-up result, and a real one of scripted models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from registered import REGISTRY

from rootfruit_checks.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAYLOADS = [
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "<!--<script>",
    "]]><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg onload=alert(1)>",
    '"><b onmouseover=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "<iframe src=javascript:alert(1)>",
    "javascript:alert(1)",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "![x](http://example.invalid/x.png)",
    "<link rel=stylesheet href=http://example.invalid/x.css>",
    "<meta http-equiv=refresh content=0;url=http://example.invalid>",
    "<base href=http://example.invalid/>",
    "<style>*{display:none}</style>",
    "<textarea>",
    "<title>",
    "<plaintext>",
    "<noscript><p title='</noscript>",
    "<math><mtext></math>",
    "<template><script>",
    "{{ 7*7 }}",
    "{% raw %}",
    "${7*7}",
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://x\x07",
    "\u202egnp.exe",
    "\u2066\u2069\u200f",
    "\x00\x08\x0c",
    "\ud800",
    "\ufffe\uffff",
    "\u2028\u2029",
    '=HYPERLINK("http://x")',
    "+1+1",
    "@SUM(A1)",
    "-2+3",
    "&lt;script&gt;",
    "&#x3c;script&#x3e;",
    "%3Cscript%3E",
    "<" * 400,
    "a" * 100_000,
]

# What Markdown, GitHub's passes over it, and its runner look for.
MARKDOWN = [
    "@someone", "me@example.invalid", "org/repo#12", "GH-12", "https://example.invalid/x", "www.example.invalid",
    "`` ` ` ``", "a | b", "a \\| b | c", "\\", "``", "`|`", "# head", "1. one", "- [ ] x", "> quote", "*a* _b_ ~~c~~",
    "<!-- x", "[ref]: http://example.invalid", "[^1]", "$x$", "| - |", "   ", "&#124;", "&lt;b&gt; **", ":smile:",
    "example.com and a.b/c", "-", "+ a", ": a", "12) x", "---", "-- --", "e.g. 3.5",
    "::error::x", "\n::stop-commands::t", "##[stop-commands]t", "%0A::add-mask::x", "a,b:c%", "\r::error::",
]  # fmt: skip


def row(measure, group, verdict="pass", text="They went home.", **changes):
    estimate = 0.55 if not measure.signed else 0.02
    return {
        "id": f"{measure.id}/{group}", "benchmark": measure.benchmark, "metric": measure.metric, "group": group,
        "n": 40,
        "clusters": dict.fromkeys(measure.clusters, 12), "unscored": 0, "policy": 0.2, "reference": 0.1,
        "estimate": estimate, "low": estimate - 0.03, "high": estimate + 0.02, "limit": measure.limit,
        "verdict": verdict if measure.gated else "none", "explain": "Measured.", "gated": measure.gated,
        "data": "planted",
        "samples": [{"id": f"{measure.id}-1", "prompt": text, "policy": text, "reference": text, "value": 0.5}],
        "details": {
            "labels": {role: {side: {"negative": 0.25, "consistent": 0.75} for side in ("group", "control")}
                       for role in ("policy", "reference")},
            "flips": {"kept": 3, "away": 1, "toward": 2, "stayed_away": 9}, "spearman": 0.5,
        },
    } | changes  # fmt: skip


def result(text="They went home.", verdict="pass"):
    checks = [row(measure, group, verdict, text) for measure in REGISTRY for group in measure.groups]
    return {
        "schema": "rootfruit-result/1",
        "run": {
            "policy": {"path": text, "weights": "ab12"}, "reference": {"path": "models/reference"},
            "data": {"scale": "ci", "winoqueer": text}, "settings": Settings().explain(),
            "instruments": {"regard": text}, "notes": [text], "tables": {},
        },
        "checks": checks, "complete": True, "missing": [], "released": verdict == "pass", "reservations": [],
        "combined": {"gated": False, "groups": [], "instances": {"not_measured": text}},
        "intersections": {"not_measured": text},
    }  # fmt: skip


CONFTEST = """
import pytest

from rootfruit_checks.engines.scripted import ScriptedEngine
from rootfruit_checks.judges.themes.tagger import LexiconTagger
from rootfruit_checks.testing import Doubles

HOSTILE = "<script>alert(1)</script> \\x1b[31mred\\x1b[0m \\u202e & ]]> ##[error]x "


def open_engine(name):
    def word_logprob(word, place, words):
        said = [word.lower().rstrip(",") for word in words[:place]]
        heard = (len(said[-1]) % 5) * 0.02 if said else 0.0
        if "nonbinary" in said:
            heard = -0.3 if name == "biased" else 0.2
        return -2.0 - (len(word) % 3) * 0.1 - heard

    return ScriptedEngine(name, word_logprob, lambda prompt, draw: HOSTILE + name)


class Regard:
    name, fingerprint, accuracy = "double", "double", "none"

    def classify(self, texts, subjects):
        return ["negative" if "biased" in text and "nonbinary" in text else "neutral" for text in texts]


@pytest.hookimpl(optionalhook=True)
def pytest_rootfruit_factory():
    return Doubles(open_engine, Regard(), LexiconTagger())
"""
SMOKE = ("--rootfruit-scale=smoke", "--rootfruit-json=result.json")
PAIR = ("--model=biased", "--reference=plain", "--rootfruit-limit=winoqueer/preference=0.5", *SMOKE)


def gate(project, *options, suite=(), environment=None):
    """Run pytest on scripted models in `project`; without a suite, the one that ships."""
    command = [sys.executable, "-m", "pytest", *_usual(project), *options, *(suite or [str(ROOT / "bias_tests")])]
    return _run(project, command, environment)


def merge(project, *stores, environment=None):
    """Run `rootfruit merge` on the stores of scripted models; the result is merged.json."""
    command = [sys.executable, "-m", "rootfruit_checks.app.cli.main", "merge", *stores, "--into", "merged"]
    command += ["--json", "merged.json", "--", *_usual(project), "-p", "no:html", str(ROOT / "bias_tests")]
    return _run(project, command, environment)


def _usual(project):
    (project / "conftest_double.py").write_text(CONFTEST)
    (project / "pytest.ini").write_text("[pytest]\n")
    return ["-p", "no:cacheprovider", f"--rootdir={project}", f"--confcutdir={ROOT}", "-p", "conftest_double"]


def _run(project, command, environment):
    there = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH")]))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    environment = {**inherited, "PYTHONHASHSEED": "0", "PYTHONPATH": there, "COLUMNS": "100", **(environment or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=project, env=environment)
