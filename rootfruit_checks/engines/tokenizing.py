"""Texts as token ids: only the model's own BOS is added to a text, and nothing of the text is lost.

Tokenizers may add an EOS after a text, [CLS] and [SEP] around it, or BOS twice. A model that reads EOS after its prompt
continues after the end of a text. So texts are tokenized without special tokens, and we add BOS where the tokenizer
would add it too.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rootfruit_checks.base.errors import EngineError

# They start and end differently, so any common first or last token was added by the tokenizer.
_SAMPLES = ("The sky is blue.", "people like music!", "In winter it snows?")


def leading(tokenizer: Any, bos: int) -> list[int]:
    """Return the tokens before a prompt: `bos` if the tokenizer puts it before a text by default, else nothing."""
    starts = []
    for text in _SAMPLES:
        plain, whole = _ids(tokenizer, [text], special=False)[0], _ids(tokenizer, [text], special=True)[0]
        # The position where the text starts in the tokenizer's output.
        place = next((i for i in range(len(whole)) if plain and whole[i : i + len(plain)] == plain), len(whole))
        starts.append(bos in whole[:place])
    return [bos] if all(starts) else []


def check_edges(tokenizer: Any, name: object) -> None:
    """Reject a tokenizer that adds tokens around a text even when asked not to.

    Raises:
        EngineError: naming the token.

    """
    special = set(tokenizer.all_special_ids) - {_unknown(tokenizer)}
    rows = _ids(tokenizer, _SAMPLES, special=False)
    for place, where in ((0, "begins"), (-1, "ends")):
        edges = {row[place] for row in rows if row}
        if len(edges) == 1 and edges <= special:
            token = tokenizer.convert_ids_to_tokens(edges.pop())
            raise EngineError(
                f"{name}: the tokenizer {where} each text with {token}, even without special tokens, so a different "
                "text would be scored; fix tokenizer.json"
            )


def plain(
    tokenizer: Any, name: object, texts: Sequence[str], called: Sequence[str], rows: int | None
) -> list[list[int]]:
    """Return the token ids of each text, without special tokens.

    Args:
        tokenizer: the model's tokenizer.
        name: the model's name, for messages.
        texts: the texts to tokenize.
        called: the name of each text in messages.
        rows: size of the model's vocabulary; None if unknown.

    Raises:
        EngineError: the tokenizer cannot encode part of a text, or gives a token that the model does not know.

    """
    if not texts:
        return []
    check_edges(tokenizer, name)
    encoded = _ids(tokenizer, texts, special=False)
    unknown = _unknown(tokenizer)
    seen: set[str] = set()
    for text, ids, label in zip(texts, encoded, called, strict=True):
        check_rows(ids, rows, name)
        if text in seen:
            continue
        seen.add(text)
        if unknown in ids or _loses(tokenizer, text):
            raise EngineError(
                f"{name}: the tokenizer cannot encode {label}: {text[:60]!a}; text that it drops cannot be scored"
            )
    return encoded


def check_rows(ids: Sequence[int], rows: int | None, name: object) -> None:
    """Reject tokens for which the model has no embedding.

    Raises:
        EngineError: naming the token.

    """
    largest = max(ids, default=0)
    if rows is not None and largest >= rows:
        raise EngineError(
            f"{name}: the tokenizer gives token {largest} and the model knows {rows}; they do not belong together"
        )


def _ids(tokenizer: Any, texts: Sequence[str], *, special: bool) -> list[list[int]]:
    # A tokenizer.json may ask for truncation and padding, which would score another text.
    found = tokenizer(list(texts), add_special_tokens=special, truncation=False, padding=False)["input_ids"]
    return [list(ids) for ids in found]


def _unknown(tokenizer: Any) -> int | None:
    """Return the token for text that cannot be encoded; None if there is none.

    The name alone is no proof: GPT-2's tokenizer gives its EOS this role, and yet encodes every text.
    """
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    model = getattr(backend, "model", None)
    if model is not None and hasattr(model, "unk_token"):
        token = model.unk_token
        return None if token is None else backend.token_to_id(token)
    found = tokenizer.unk_token_id
    return None if found is None else int(found)


def _loses(tokenizer: Any, text: str) -> bool:
    """Whether a letter or digit of a text is lost in its tokens. Case and accents may change."""
    if tokenizer.is_fast:
        spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        held = {place for start, end in spans for place in range(start, end)}
        return any(letter.isalnum() and place not in held for place, letter in enumerate(text))
    back = str(tokenizer.decode(_ids(tokenizer, [text], special=False)[0]))
    return back != text and bool(Counter(_letters(text)) - Counter(_letters(back)))


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if c.isalnum())
