"""A probe of a served model: how it returns log-probs of a given text, and what it puts before a text.

The result is stored with the units, so that a resumed run sends the same requests. The probe is repeated at the start
of each run: a model that answers it differently is not the one whose answers are stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.catalog.registry import BENCHMARKS
from rootfruit_checks.engines.served import protocol
from rootfruit_checks.engines.served.caller import Caller, RefusedError
from rootfruit_checks.engines.served.client import MalformedError
from rootfruit_checks.engines.served.protocol import LackingError, Scored, Way
from rootfruit_checks.engines.work_units import Units

# They start and end differently, so any common first or last token was added by the server.
_TEXTS = ("The sky is blue.", "People like music!", "In winter it snows?")
# Beginnings of the texts: later tokens do not change the log-prob of a token, unless the log-probs are shifted.
_BEGINNINGS = ("The sky is", "People like", "In winter")
# Half precision and batching change a token's log-prob by less than this, another model by more.
_SAME_MODEL = 0.25


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of the probe.

    Attributes:
        way: the name of one of `replies.WAYS`.
        bos: description of what comes before a scored text.
        first: the first token there, as the server names it.
        cut: digest of the tokens that the texts were split into.
        real_ids: whether token ids come from the server.
        logprobs: those of the first text.

    """

    way: str
    bos: str
    first: str
    cut: str
    real_ids: bool
    logprobs: list[float]


def probe(caller: Caller, model: str, bos: str, units: Units) -> Probe:
    """Return the result of the probe; if one is stored, check that the model still answers it the same way.

    Args:
        caller: the server.
        model: the model's name there.
        bos: the text that the user wants before each text, or "".
        units: where the result is stored.

    Raises:
        EngineError: the server gives no log-probs of a given text or of its first token, or the model has changed.

    """
    key = hashlib.sha256(json.dumps(["served-probe/1", _TEXTS, bos]).encode()).hexdigest()
    kept = units.get(key)
    if kept is None:
        found = _find(caller, model, bos)
        units.put(key, json.dumps(asdict(found)).encode())
        return found
    before = Probe(**json.loads(kept))
    moved = difference(caller, model, bos, before)
    if moved:
        raise EngineError(
            f"{caller.address}: {caller.secret.quote(model)} is not the model whose answers are in the store "
            f"({moved}): use another --rootfruit-store"
        )
    return before


def difference(caller: Caller, model: str, bos: str, before: Probe) -> str:
    """Query the probe's first text again; return how the answer differs from before, or ""."""
    way = next(way for way in protocol.WAYS if way.name == before.way)
    try:
        now = _ask(caller, model, way, bos + _TEXTS[0])
    except LackingError:
        return "it no longer gives log-probs"
    values = [value for value in now.logprobs[1:] if value is not None]
    if now.tokens[0] != before.first or len(values) != len(before.logprobs):
        return "it splits a probe into different tokens"
    moved = max(abs(a - b) for a, b in zip(values, before.logprobs, strict=True))
    return f"log-probs of a probe changed by {moved:.2g} nats" if moved > _SAME_MODEL else ""


def _ask(caller: Caller, model: str, way: Way, text: str) -> Scored:
    return caller.complete(protocol.scoring(model, text, way), way.read)


def _find(caller: Caller, model: str, bos: str) -> Probe:
    refusals = []
    for way in protocol.WAYS:
        try:
            plain = [_ask(caller, model, way, text) for text in _TEXTS]
        except LackingError:
            refusals.append(f"{way.name}: not answered")
        except RefusedError as error:
            if error.status not in {400, 404, 405, 422, 501}:
                raise
            refusals.append(f"{way.name}: HTTP {error.status}")
        else:
            return _settled(caller, model, bos, way, plain)
    needless = [name for name, held in BENCHMARKS.items() if held.default and held.kind == "prompts" and not held.twins]
    other = f"run --rootfruit-benchmarks={','.join(needless)}, which needs none, or " if needless else ""
    raise EngineError(
        f"{caller.address}: gives no log-probs of a given text ({'; '.join(refusals)}); {other}use vLLM as the server"
    )


def _settled(caller: Caller, model: str, bos: str, way: Way, plain: Sequence[Scored]) -> Probe:
    """Find out what comes before a text, and reject servers that would score a different text than the one given."""
    where = f"{caller.address}: {caller.secret.quote(model)}"
    if len({one.tokens for one in plain}) < len(plain):
        raise EngineError(f"{where}: the server gives the same tokens for different texts")
    if _common(plain, -1):
        raise EngineError(f"{where}: the server adds a token after each text, which cannot be undone here")
    own = _common(plain, 0)
    if own and bos:
        raise EngineError(f"{where}: the server already adds a BOS; remove --rootfruit-server-bos")
    if not own and not bos:
        raise EngineError(
            f"{where}: the server puts no BOS before a text, so its first token gets no log-prob; name its BOS: "
            "--rootfruit-server-bos='<|endoftext|>', or whichever it is"
        )
    scored = plain
    if bos:
        scored = [_ask(caller, model, way, bos + text) for text in _TEXTS]
        if any(whole.tokens[1:] != bare.tokens for whole, bare in zip(scored, plain, strict=True)):
            raise EngineError(f"{where}: --rootfruit-server-bos={bos!r} is not a single token there; name another")
    if not _common(scored, 0) or _common(scored, 1) or any(None in one.logprobs[1:] for one in scored):
        raise EngineError(f"{where}: does not give all log-probs of a text after one BOS; use vLLM as the server")
    _check_belonging(where, scored, [_ask(caller, model, way, bos + text) for text in _BEGINNINGS])
    first = scored[0].tokens[0]
    cut = hashlib.sha256(json.dumps([one.tokens for one in scored]).encode()).hexdigest()[:16]
    told = f"token {first}, put there by the server" if own else f"{bos!r}, put there by --rootfruit-server-bos"
    logprobs = [value for value in scored[0].logprobs[1:] if value is not None]
    return Probe(way.name, caller.secret.quote(told), first, cut, way.real_ids, logprobs)


def _check_belonging(where: str, scored: Sequence[Scored], beginnings: Sequence[Scored]) -> None:
    """Reject log-probs that do not belong to the probe's texts, or are assigned to the wrong tokens."""
    try:
        for one, text in zip((*scored, *beginnings), (*_TEXTS, *_BEGINNINGS), strict=True):
            one.check(text)
    except MalformedError as error:
        raise EngineError(f"{where}: gave a wrong answer to a probe: {error}") from None
    shifted = len({one.tokens[1] for one in scored}) > 1 and len({one.logprobs[1] for one in scored}) == 1
    for whole, part in zip(scored, beginnings, strict=True):
        count = len(part.tokens)
        if whole.tokens[:count] == part.tokens:
            pairs = zip(whole.logprobs[1:count], part.logprobs[1:], strict=True)
            shifted = shifted or any(a is None or b is None or abs(a - b) > _SAME_MODEL for a, b in pairs)
    if shifted:
        raise EngineError(
            f"{where}: log-probs of a text's tokens change with what follows them, or are all the same: they "
            "belong to other tokens, or the model is not causal"
        )


def _common(scored: Sequence[Scored], place: int) -> bool:
    """Whether all texts have the same token at an index."""
    return all(len(one.tokens) > 2 for one in scored) and len({one.tokens[place] for one in scored}) == 1
