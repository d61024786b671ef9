"""A planted result: every check of the registry, one sample each."""

from __future__ import annotations

from registered import REGISTRY

from rootfruit_checks.config.settings import Settings


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


def narratives(text="They went home."):
    def line(theme, share):
        told = {"estimate": share, "low": share - 0.02, "high": share + 0.03}
        return {"theme": theme, "policy": told, "reference": told, "change": told | {"estimate": 0.0}}

    themes = ("violence", "neutral")
    return {
        "gated": False, "benchmark": "disclosure", "about": text, "tagger": text,
        "themes": [{"id": one, "title": one.title(), "definition": text, "f1": 0.7} for one in themes],
        "groups": [
            {
                "group": group, "is_control": group == "binary", "prompts": 24,
                "themes": [line(one, 0.1 + 0.2 * at) for at, one in enumerate(themes)],
            }
            for group in ("tgnb", "nonbinary", "binary")
        ],
        "quotes": [{"group": "tgnb", "theme": one, "sample": f"s-{one}", "text": text} for one in themes],
        "codes": {
            "items": 40, "continuations": 60, "coders": {text: 40, "bo": 38},
            "themes": [
                {"theme": one, "alpha": 0.61, "kappa": None, "tagger_kappa": 0.5, "items": 40} for one in themes
            ],
        },
    }  # fmt: skip


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
        "narratives": narratives(text),
    }  # fmt: skip
