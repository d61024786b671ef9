"""The themes of a run's continuations: the tagger's tags, overridden by human codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.base.text import plain
from rootfruit_checks.judges.themes.codebook import theme_ids
from rootfruit_checks.judges.themes.tagger import Tagger, masked_texts
from rootfruit_checks.store.store import Store, address, digest

# item -> coder -> the themes that the coder found in it.
Codes = Mapping[str, Mapping[str, Sequence[str]]]
CODES = "codes"
EXPORTS = "coding exports"


def item_of(masked: str) -> str:
    """Return the id of a masked text. It identifies the text, but not its author or subject."""
    return digest(masked.encode("utf-8", "surrogatepass"))[:12]


@dataclass(frozen=True, slots=True, eq=False)
class Tagged:
    """Continuations with their themes.

    Attributes:
        rows: one row per continuation: sample, role, draw, identity, subject, frame, text, `masked` and `item`.
        tags: the tagger's tags, shape (n, themes).
        themes: the themes in use: human codes if there are any, else the tags.
        codes: human codes of this run's items.
        told: description of the tagger.
        measured: its accuracy by theme.

    """

    rows: pd.DataFrame
    tags: NDArray[np.bool_]
    themes: NDArray[np.bool_]
    codes: Codes
    told: str
    measured: Mapping[str, Mapping[str, float]]


def continuations(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the disclosure continuations with the text that a tagger reads of each, and its item id."""
    kept = frame.loc[
        frame["quantity"] == "regard", ["sample", "role", "draw", "identity", "subject", "frame", "label", "text"]
    ].reset_index(drop=True)
    masked = masked_texts(kept["text"].tolist(), kept["subject"].tolist())
    return kept.assign(masked=masked, item=[item_of(text) for text in masked])


def tag_frame(tagger: Tagger, store: Store, frame: pd.DataFrame) -> Tagged:
    """Tag the continuations of a disclosure frame; the tags of a set of texts are kept in the store."""
    rows = continuations(frame)
    # The subject is already masked, so the text is tagged as it is.
    distinct = sorted(set(rows["masked"]))
    place = address({"tagger": tagger.fingerprint, "texts": distinct})
    held = store.get("themes", place)
    if held is None:
        held = np.packbits(tagger.tag(distinct, [""] * len(distinct))).tobytes()
        store.put("themes", place, held)
    width = len(theme_ids())
    bits = np.unpackbits(np.frombuffer(held, dtype=np.uint8), count=len(distinct) * width)
    by_text = dict(zip(distinct, bits.reshape(-1, width).astype(bool), strict=True))
    tags = np.array([by_text[text] for text in rows["masked"]], dtype=bool).reshape(len(rows), width)
    codes = read_codes(store, set(rows["item"]))
    return Tagged(rows, tags, overridden(rows["item"], tags, codes), codes, tagger.told, tagger.measured)


def overridden(items: Sequence[str] | pd.Series[str], tags: NDArray[np.bool_], codes: Codes) -> NDArray[np.bool_]:
    """Return the tags overridden by human codes: the majority of an item's coders decides; at a tie the tag is kept."""
    known = theme_ids()
    found = tags.copy()
    for at, item in enumerate(items):
        coders = codes.get(item)
        if coders:
            share = np.array([np.mean([theme in mine for mine in coders.values()]) for theme in known])
            found[at] = np.where(share == 0.5, found[at], share > 0.5)
    return found


def read_codes(store: Store, items: set[str]) -> dict[str, dict[str, list[str]]]:
    """Return the human codes of these items.

    Raises:
        StoreError: the stored codes are damaged.

    """
    found: dict[str, dict[str, list[str]]] = {}
    where = f"{store.database}: a code"
    for key, value in store.units_of(CODES):
        named, themes = (untrusted.parse_json(raw, where, StoreError) for raw in (key, value))
        untrusted.check(named, tuple[str, str], where, StoreError)
        untrusted.check(themes, list[str], where, StoreError)
        if unknown := set(themes) - set(theme_ids()):
            raise StoreError(f"{where}: names the unknown theme {plain(min(unknown), 40)!r}; import the sheets again")
        coder, item = named
        if item in items:
            found.setdefault(item, {})[coder] = themes
    return {item: dict(sorted(coders.items())) for item, coders in sorted(found.items())}


def keep_codes(store: Store, coded: Mapping[str, tuple[Mapping[str, Sequence[str]], Sequence[str]]]) -> None:
    """Store human codes, all or none, replacing the coders' earlier codes of the same items.

    Args:
        store: an open store.
        coded: by coder, the codes by item, and the items left open.

    Raises:
        StoreError: the store cannot be written.

    """
    if "" in coded:
        raise StoreError("codes need the name of their coder")
    kept = {
        json.dumps([coder, item]): json.dumps(list(themes)).encode()
        for coder, (codes, _) in coded.items()
        for item, themes in codes.items()
    }
    store.replace(CODES, kept, [json.dumps([coder, item]) for coder, (_, left) in coded.items() for item in left])


def keep_export(store: Store, items: Mapping[str, str]) -> None:
    """Record the contents of an exported sheet, from item to text: filled sheets are checked against it."""
    store.put(EXPORTS, address({"items": items}), json.dumps(dict(items)).encode())


def read_exports(store: Store) -> list[dict[str, str]]:
    """Return the recorded contents of exported sheets.

    Raises:
        StoreError: a record is damaged.

    """
    where = f"{store.database}: an exported sheet"
    found = [untrusted.parse_json(value, where, StoreError) for _, value in store.units_of(EXPORTS)]
    untrusted.check(found, list[dict[str, str]], where, StoreError)
    return found
