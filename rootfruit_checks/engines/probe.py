"""A probe of a served model: how it gives log-probs of a given text, and what it puts before one.

It is kept with the units, so that a resumed run asks in the same way, and asked again at the start of each run: a model
that answers it otherwise is not the one whose answers are stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rootfruit_checks.engines import replies
from rootfruit_checks.engines.caller import Caller, RefusedError
from rootfruit_checks.engines.replies import LackingError, Scored, Way
from rootfruit_checks.engines.work import Units
from rootfruit_checks.errors import EngineError

# They begin and end differently, so what all of them begin or end with was put there by the server.
_TEXTS = ("The sky is blue.", "People like music!", "In winter it snows?")
# Half precision and batching move a token's log-prob by less than this, another model by more.
_SAME_MODEL = 0.25


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    Attributes:
        way: the name of one of `replies.WAYS`.
        bos: what stands before a scored text, in words.
        first: the token that stands there, as the server names it.
        cut: digest of how the texts were cut into tokens.
        real_ids: whether token ids are the server's.
        logprobs: those of the first text.

    """

    way: str
    bos: str
    first: str
    cut: str
    real_ids: bool
    logprobs: list[float]


def probe(caller: Caller, model: str, bos: str, units: Units) -> Probe:
    """Return what a probe finds; where one is kept, check that the model still answers it so.

    Args:
        caller: the server.
        model: the model's name there.
        bos: what the user wants put before each text, or "".
        units: where the finding is kept.

    Raises:
        EngineError: there are no log-probs of a given text, none of its first token, or it is another model now.

    """
    key = hashlib.sha256(json.dumps(["served-probe/1", _TEXTS, bos]).encode()).hexdigest()
    kept = units.get(key)
    if kept is None:
        found = _find(caller, model, bos)
        units.put(key, json.dumps(asdict(found)).encode())
        return found
    before = Probe(**json.loads(kept))
    way = next(way for way in replies.WAYS if way.name == before.way)
    try:
        now = _ask(caller, model, way, bos + _TEXTS[0])
    except LackingError:
        raise EngineError(f"{caller.address}: gives no log-probs any more; it gave some to this store's run") from None
    values = [value for value in now.logprobs[1:] if value is not None]
    same = now.tokens[0] == before.first and len(values) == len(before.logprobs)
    moved = max((abs(a - b) for a, b in zip(values, before.logprobs, strict=False)), default=0.0)
    if not same or moved > _SAME_MODEL:
        raise EngineError(
            f"{caller.address}: {caller.secret.quote(model)} is not the model whose answers the store holds (a probe "
            f"moved by {moved:.2g} nats): name another --rootfruit-store"
        )
    return before


def _ask(caller: Caller, model: str, way: Way, text: str) -> Scored:
    return caller.complete(replies.scoring(model, text, way), way.read)


def _find(caller: Caller, model: str, bos: str) -> Probe:
    refusals = []
    for way in replies.WAYS:
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
    raise EngineError(
        f"{caller.address}: gives no log-probs of a given text ({'; '.join(refusals)}); run "
        "--rootfruit-benchmarks=disclosure, which needs none, or serve the model by vLLM"
    )


def _settled(caller: Caller, model: str, bos: str, way: Way, plain: Sequence[Scored]) -> Probe:
    """Find out what stands before a text, and refuse what would score another text than the one given."""
    where = f"{caller.address}: {caller.secret.quote(model)}"
    if _common(plain, -1):
        raise EngineError(f"{where}: the server ends each text with a token of its own, which cannot be undone here")
    own = _common(plain, 0)
    if own and bos:
        raise EngineError(f"{where}: the server puts a BOS there by itself; leave --rootfruit-server-bos out")
    if not own and not bos:
        raise EngineError(
            f"{where}: the server puts no BOS before a text, so its first token gets no log-prob; name its BOS: "
            "--rootfruit-server-bos='<|endoftext|>', or whichever it is"
        )
    scored = plain
    if bos:
        scored = [_ask(caller, model, way, bos + text) for text in _TEXTS]
        if any(whole.tokens[1:] != bare.tokens for whole, bare in zip(scored, plain, strict=True)):
            raise EngineError(f"{where}: --rootfruit-server-bos={bos!r} is not one token before the text there")
    if not _common(scored, 0) or _common(scored, 1) or any(None in one.logprobs[1:] for one in scored):
        raise EngineError(f"{where}: does not give all log-probs of a text after one BOS; serve it by vLLM")
    first = scored[0].tokens[0]
    cut = hashlib.sha256(json.dumps([one.tokens for one in scored]).encode()).hexdigest()[:16]
    told = f"token {first}, put there by the server" if own else f"{bos!r}, put there by --rootfruit-server-bos"
    logprobs = [value for value in scored[0].logprobs[1:] if value is not None]
    return Probe(way.name, caller.secret.quote(told), first, cut, way.real_ids, logprobs)


def _common(scored: Sequence[Scored], place: int) -> bool:
    """Whether all texts have the same token at a place."""
    return all(len(one.tokens) > 2 for one in scored) and len({one.tokens[place] for one in scored}) == 1
