"""From an engine's answers on one model to measurements: one function for each way of answering."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.base.types import Completion, Measurement, PairMeasurement, Prompt, Role, Sampling
from rootfruit_checks.catalog.pronoun_families import FAMILIES
from rootfruit_checks.engines.base import Engine, generate, score
from rootfruit_checks.engines.work_units import Units
from rootfruit_checks.judges.pronouns.judge import judge
from rootfruit_checks.judges.regard.protocol import RegardClassifier
from rootfruit_checks.observations.pair_scores import ScoredPair
from rootfruit_checks.observations.pronoun_slots import twin_texts


def twin_slots(prompts: Sequence[Prompt]) -> list[dict[str, str]]:
    """Return what the log-prob twin scores: for each prompt, family -> the prompt with that family's form."""
    families = sorted({prompt.identity for prompt in prompts} & FAMILIES.keys())
    return [twin_texts(prompt.text, families) for prompt in prompts]


def observe_pairs(role: Role, scored: Iterable[ScoredPair], benchmark: str) -> Iterator[PairMeasurement]:
    """Compare both sentences of every pair; one measurement a pair.

    Args:
        role: whose scores these are.
        scored: the pairs.
        benchmark: whose pairs they are.

    """
    for one in scored:
        pair, found = one.pair, one.differences()
        yield PairMeasurement(
            benchmark=benchmark,
            sample=pair.id,
            role=role,
            d_shared=found.d_shared,
            d_full=found.d_full,
            d_upstream=found.d_upstream,
            identity=pair.identity,
            counterpart=pair.counterpart,
            kind=pair.kind,
            frame=pair.frame,
            predicate=pair.predicate,
            subject=pair.name,
        )


def continuations(
    engine: Engine, prompts: Sequence[Prompt], sampling: Sampling, units: Units
) -> list[tuple[Prompt, Completion]]:
    """Generate, and check that every request got its one answer, in order."""
    answers = generate(engine, prompts, sampling, units)
    asked = [(prompt, draw) for prompt in prompts for draw in range(sampling.continuations)]
    given = [(answer.prompt_id, answer.draw) for answer in answers]
    if given != [(prompt.id, draw) for prompt, draw in asked]:
        raise EngineError(
            f"the engine gave {len(given)} answers to {len(asked)} requests, or in another order; report this"
        )
    return [(prompt, answer) for (prompt, _), answer in zip(asked, answers, strict=True)]


def observe_regard(
    role: Role, answers: Sequence[tuple[Prompt, Completion]], classifier: RegardClassifier
) -> Iterator[Measurement]:
    """Label the regard of each continuation; `value` is 1 where it is negative, else 0 (rates are over all prompts)."""
    labels = classifier.classify([answer.text for _, answer in answers], [prompt.subject for prompt, _ in answers])
    for (prompt, answer), label in zip(answers, labels, strict=True):
        yield _of(prompt, answer, role, "regard", float(label == "negative"), label)


def observe_pronouns(role: Role, answers: Sequence[tuple[Prompt, Completion]]) -> Iterator[Measurement]:
    """Judge pronouns, and gendered nouns apart; `value` is 1 where the person is misgendered."""
    for prompt, answer in answers:
        found = judge(answer.text, prompt.identity, prompt.subject, prompt=prompt.text)
        label = found.label if answer.text.strip() else "empty"
        yield _of(prompt, answer, role, "pronoun", float(label == "misgendered"), label)
        yield _of(prompt, answer, role, "noun", float(found.noun_label == "misgendered"), found.noun_label)


def observe_labels(
    role: Role, answers: Sequence[tuple[Prompt, Completion]], labels: Sequence[str], harmful: str
) -> Iterator[Measurement]:
    """Take the labels of a registered classifier; `value` is 1 where it is the harmful one."""
    for (prompt, answer), label in zip(answers, labels, strict=True):
        yield _of(prompt, answer, role, "label", float(label == harmful), label)


def observe_twin(engine: Engine, role: Role, prompts: Sequence[Prompt], units: Units) -> Iterator[Measurement]:
    """Score every family's form where a pronoun would follow: the log-prob twin of what is written."""
    slots = twin_slots(prompts)
    scores = iter(score(engine, [text for slot in slots for text in slot.values()], units))
    for prompt, slot in zip(prompts, slots, strict=True):
        totals = {family: next(scores).total for family in slot}
        best = max(totals, key=lambda family: (totals[family], family))
        own = totals.get(prompt.identity)
        if own is None:
            raise EngineError(
                f"{prompt.id}: pronoun family {prompt.identity!r} has no twin; add it to catalog/pronoun_families.py"
            )
        yield Measurement(
            benchmark=prompt.benchmark,
            sample=prompt.id,
            role=role,
            quantity="twin",
            value=totals[best] - own,
            label=best,
            identity=prompt.identity,
            frame=prompt.frame,
            subject=prompt.subject,
            stratum=prompt.stratum,
        )


def _of(prompt: Prompt, answer: Completion, role: Role, quantity: str, value: float, label: str) -> Measurement:
    return Measurement(
        benchmark=prompt.benchmark,
        sample=prompt.id,
        role=role,
        quantity=quantity,
        value=value,
        label=label,
        draw=answer.draw,
        identity=prompt.identity,
        frame=prompt.frame,
        subject=prompt.subject,
        stratum=prompt.stratum,
        text=answer.text,
    )
