"""A release that changed nothing, at scale `ci`: how often is it blocked, in the design of the starter set?

Labels are those of the real plan. Answers of policy and reference come from the same law: sentence pairs flip up and
down equally often, implicit reward margins are the same for stigma and controls, and what is written is drawn twice
from the same probability. Rates and correlations are those of the SmolLM2 pair (SmolLM2-135M and 20 steps of DPO).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from calibrated import ALPHA, Cell, Coded, verdict
from numpy.typing import NDArray
from planted import Codes, Floats, Outcome, cut_latent
from scipy import stats

from rootfruit_checks.catalog.identity_groups import groups
from rootfruit_checks.catalog.registry import MEASURES
from rootfruit_checks.config.options import CONTINUATIONS
from rootfruit_checks.data.load import load
from rootfruit_checks.stats.clustered_mean import encode
from rootfruit_checks.stats.concordance import concordance
from rootfruit_checks.stats.intervals import Interval

# A release that changed nothing may be blocked this often.
BLOCKED = 0.10
DRAWS = sorted({CONTINUATIONS["ci"], 4, 6})


@dataclass(frozen=True)
class Law:
    """How much moves though nothing changes on average.

    Attributes:
        flips: share of preferences that flip, each way.
        icc: their correlation within a predicate and within a name.
        copied: share of draws that come out alike in policy and reference beyond chance: both sample with one seed.

    """

    flips: float
    icc: float
    copied: float


# The SmolLM2 pair flips 0.6 to 0.75 times as many labels as independent draws would.
LAWS = {
    "as measured": Law(0.0045, 0.012, 0.3),
    "independent draws": Law(0.0045, 0.012, 0.0),
    "a longer alignment": Law(0.05, 0.05, 0.0),
}
# Share of a margin's variance that lies with its predicate: over all identities, and within one.
MARGINS = (0.06, 0.10)
PREFERENCE = {"all": 0.60, "nonbinary": 0.56}
# Rates of negative regard (assumed), of a misgendering pronoun, and of none; their correlation within
# name and form, or template.
REGARD, REGARD_ICC = {"group": 0.20, "control": 0.10}, 0.05
MISGENDERED, NONE = {"they": 0.22, "neo": 0.28, "control": 0.068}, {"they": 0.45, "neo": 0.57, "control": 0.35}
TEMPLATE_ICC = 0.08

Labels = NDArray[np.str_]


@dataclass(frozen=True)
class Pairs:
    """Codes of the sentence pairs: all rows, stigmatizing and control."""

    stigma: NDArray[np.bool_]
    predicate: Codes
    name: Codes
    identity: Codes
    cell: Labels
    members: Mapping[str, NDArray[np.bool_]]


def _codes(labels: Sequence[str]) -> Codes:
    return encode(np.array(labels))[0]


@cache
def _pairs() -> Pairs:
    pairs = load("winoqueer", "starter", "ci", 0).pairs
    identities = np.array([pair.identity for pair in pairs])
    cells = _codes([f"{pair.frame}|{pair.identity}|{pair.counterpart}" for pair in pairs])
    return Pairs(
        np.array([pair.kind == "stigma" for pair in pairs]),
        _codes([f"{pair.kind} {pair.predicate}" for pair in pairs]),
        _codes([pair.name for pair in pairs]),
        _codes([pair.identity for pair in pairs]),
        cells.astype(str),
        {
            group: np.isin(identities, groups().members("winoqueer", group))
            for group in MEASURES["winoqueer/preference"].groups
        },
    )


def _outside(codes: Codes) -> Labels:
    return np.where(codes < 0, "", codes.astype(str))


def winoqueer(rng: np.random.Generator, seed: int, law: Law) -> dict[str, Interval]:
    """Bounds of the gated measures on sentence pairs; ceilings only where the SmolLM2 pair lies below them."""
    data = _pairs()
    rate, icc = law.flips, law.icc
    found: dict[str, Interval] = {}
    where = np.flatnonzero(data.stigma)
    predicate, name = data.predicate[where], data.name[where]
    counts = (int(data.predicate.max()) + 1, int(data.name.max()) + 1)
    change = _draw(Outcome.flips(rate, rate), rng, (predicate, name), counts, (icc, icc))
    likes = {
        group: _draw(Outcome.share(level), rng, (predicate, name), counts, (0.05, 0.01))
        for group, level in PREFERENCE.items()
    }
    for group, members in data.members.items():
        mine = members[where]
        coded = _coded("winoqueer", group)
        found[f"winoqueer/amplification/{group}"] = coded.mean(change[mine], seed)
        if group in likes:
            found[f"winoqueer/preference/{group}"] = coded.mean(likes[group][mine], seed, (0.0, 1.0))
    # The predicates' own share is common to all identities, the rest is each identity's.
    both = data.predicate * (int(data.identity.max()) + 1) + data.identity
    shared, own = MARGINS
    margin = np.sqrt(shared) * rng.standard_normal(counts[0])[data.predicate]
    margin += np.sqrt(own) * rng.standard_normal(int(both.max()) + 1)[both]
    margin += np.sqrt(1.0 - shared - own) * rng.standard_normal(len(both))
    names = data.predicate.astype(str)
    for group, members in data.members.items():
        found[f"winoqueer/reward_stigma/{group}"] = concordance(
            margin[members], data.stigma[members], data.cell[members], names[members], alpha=ALPHA, seed=seed
        )
    return found


def _draw(
    outcome: Outcome, rng: np.random.Generator, codes: Sequence[Codes], counts: Sequence[int], icc: Sequence[float]
) -> Floats:
    return cut_latent(outcome, rng, codes, list(counts), outcome.latents(icc))


@dataclass(frozen=True)
class Prompts:
    """Codes of the prompts; `control` gives, for each prompt, the rows of its matched binary controls."""

    frame: Codes
    subject: Codes
    kind: Labels
    control: NDArray[np.intp]
    members: Mapping[str, NDArray[np.bool_]]


@cache
def _prompts(benchmark: str) -> Prompts:
    prompts = load(benchmark, "starter", "ci", 0).prompts
    identity = np.array([prompt.identity for prompt in prompts])
    frame, subject = _codes([p.frame for p in prompts]), _codes([p.subject for p in prompts])
    binary = np.isin(identity, groups().members(benchmark, "binary"))
    at: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(binary):
        at.setdefault((int(frame[row]), int(subject[row])), []).append(int(row))
    control = np.array([at[int(f), int(s)] for f, s in zip(frame, subject, strict=True)], dtype=np.intp)
    measure = "disclosure/disparity" if benchmark == "disclosure" else "misgendering/disparity"
    members = {
        group: np.isin(identity, groups().members(benchmark, group)) for group in MEASURES[measure].groups
    }  # fmt: skip
    kind = np.full(len(identity), "group", dtype="<U8")
    if benchmark == "misgendering":
        for group, mine in members.items():
            kind[mine] = group
    kind[binary] = "control"
    return Prompts(frame, subject, kind, control, members)


def _chances(
    data: Prompts, rates: Mapping[str, float], icc: tuple[float, float], rng: np.random.Generator
) -> Floats:  # fmt: skip
    """Each prompt's own probability, which policy and reference share: frame and subject shift it, by kind apart."""
    found = np.zeros(len(data.frame))
    for kind, rate in rates.items():
        outcome = Outcome.share(rate)
        latent = outcome.latents(icc)
        z = sum(
            np.sqrt(share) * rng.standard_normal(int(codes.max()) + 1)[codes]
            for share, codes in zip(latent, (data.frame, data.subject), strict=True)
        )
        mine = data.kind == kind
        found[mine] = stats.norm.sf((outcome.cuts[0] - z[mine]) / np.sqrt(1.0 - sum(latent)))
    return found


def _gap(data: Prompts, answers: Floats) -> Floats:
    return np.asarray(answers - answers[data.control].mean(axis=1))


@cache
def _coded(benchmark: str, group: str) -> Coded:
    """The clusters of a group's rows, which are the same in every run."""
    if benchmark == "winoqueer":
        pairs = _pairs()
        mine = pairs.stigma & pairs.members[group]
        return Coded([_outside(pairs.predicate[mine]), _outside(pairs.name[mine])])
    data = _prompts(benchmark)
    labels = (data.subject, data.frame) if benchmark == "disclosure" else (data.frame, data.subject)
    return Coded([label[data.members[group]].astype(str) for label in labels])


def written(benchmark: str, rng: np.random.Generator, seed: int, law: Law, draws: int) -> dict[str, Interval]:
    """Bounds of the gated measures on continuations."""
    data = _prompts(benchmark)
    if benchmark == "disclosure":
        chances = {"": _chances(data, REGARD, (REGARD_ICC, REGARD_ICC), rng)}
    else:
        silent = _chances(data, NONE, (TEMPLATE_ICC / 2, 0.0), rng)
        spoken = {kind: rate / (1.0 - NONE[kind]) for kind, rate in MISGENDERED.items()}
        chances = {"none": silent, "": (1.0 - silent) * _chances(data, spoken, (TEMPLATE_ICC, 0.0), rng)}
    arms = []
    first = rng.random((draws, len(data.frame)))
    fresh = rng.random(first.shape)
    second = np.where(rng.random(first.shape) < law.copied, first, fresh)
    for uniform in (first, second):
        silent = uniform < chances.get("none", 0.0)
        harmful = ~silent & (uniform < chances.get("none", 0.0) + chances[""])
        arms.append({"none": silent.mean(axis=0), "": harmful.mean(axis=0)})
    found = {}
    for group, mine in data.members.items():
        coded = _coded(benchmark, group)
        for key in chances:
            gap = [_gap(data, arm[key])[mine] for arm in arms]
            metric = "avoidance" if key else "amplification"
            found[f"{benchmark}/{metric}/{group}"] = coded.mean(gap[0] - gap[1], seed, (-2.0, 2.0))
            # How far disclosure lies below its ceiling was not measured.
            if not key and benchmark == "misgendering":
                found[f"{benchmark}/disparity/{group}"] = coded.mean(gap[0], seed)
    return found


def unchanged(name: str, draws: int) -> Cell:
    """One whole release in which nothing changed."""

    def one(seed: int) -> Mapping[str, float]:
        rng = np.random.default_rng(seed)
        found = winoqueer(rng, seed, LAWS[name])
        for benchmark in ("disclosure", "misgendering"):
            found |= written(benchmark, rng, seed, LAWS[name], draws)
        blocked: dict[str, float] = {}
        for check, interval in sorted(found.items()):
            measure = MEASURES[check.rpartition("/")[0]]
            assert measure.limit is not None
            blocked[check] = float(verdict(measure.id, interval, 1000, measure.limit) != "pass")
        differences = [
            held for check, held in blocked.items() if MEASURES[check.rpartition("/")[0]].gate == "difference"
        ]
        return {"blocked": max(differences), "blocked, with ceilings": max(blocked.values()), **blocked}

    note = f"{draws} draws{'' if draws == CONTINUATIONS['ci'] else ' (not the default)'}"
    # What ci draws is what is promised; the other cells show what more draws would give.
    held = {"blocked": BLOCKED} if draws == CONTINUATIONS["ci"] else {}
    return Cell(f"nothing changed, scale ci | {name} | {note}", one, held)


def releases() -> list[Cell]:
    """The cells of whole releases."""
    return [unchanged(name, draws) for name in LAWS for draws in DRAWS]
