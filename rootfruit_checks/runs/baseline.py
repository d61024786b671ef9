"""An earlier release's answers in one file, to gate the next one against.

A baseline is one Parquet file: the policy's rows of every tidy frame (see `observations/frame.py`) and, in its
metadata, the JSON result of the run and the facts that another run must share to be compared with it. It is written
atomically, and read only if its digest matches.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.errors import BaselineError
from rootfruit_checks.base.files import write_atomic
from rootfruit_checks.base.text import plain
from rootfruit_checks.catalog.registry import classifier_of, kind_of
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.data.data_set import DataSet
from rootfruit_checks.observations import fingerprints
from rootfruit_checks.observations.frame import ALL_COLUMNS, COLUMNS, PAIR_COLUMNS, checked, joined
from rootfruit_checks.results.reading import typed_result
from rootfruit_checks.results.result import Result

SCHEMA = "rootfruit-baseline/2"
_KEY = b"rootfruit"
# Settings that change what is measured, by kind of benchmark. Others (seed, scale, continuations, limits, beta)
# change the precision, or apply to both sides of a comparison.
_SETTINGS = {
    "pairs": ("dtype", "chat_scores"),
    "prompts": ("dtype", "temperature", "top_p", "max_new_tokens", "stop"),
}

Facts = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A baseline as read: its rows, the facts about them, and the result of its run.

    Attributes:
        path: its file.
        rows: tidy rows of its policy, all benchmarks.
        facts: benchmark -> what must agree, in words.
        noise: nats within which a difference of its log-probs is a tie.
        result: the JSON result of its run.
        date: when it was saved (UTC).

    """

    path: Path
    rows: pd.DataFrame
    facts: Facts
    noise: float
    result: Result
    date: str

    def of(self, benchmark: str) -> pd.DataFrame | None:
        """Return the rows of one benchmark; None if it has none."""
        mine = self.rows[self.rows["benchmark"] == benchmark]
        # A row of prompts has a quantity.
        columns = COLUMNS if (mine["quantity"] != "").any() else PAIR_COLUMNS
        return mine[list(columns)] if len(mine) else None

    @property
    def told(self) -> str:
        """A description in one line."""
        policy = self.result.run.policy
        released = "released" if self.result.released else "not released"
        if self.result.released and self.result.reservations:
            released = "released with reservations"
        print_ = policy.get("fingerprint", "")[:12]
        return plain(f"{self.path} (saved {self.date}, policy {policy.get('path')} [{print_}], {released})")


def facts(settings: Settings, data: Mapping[str, DataSet], regard: str, engine: str, put: Mapping[str, str]) -> Facts:
    """Return, by benchmark, what must agree with a baseline; error messages use the keys.

    Args:
        settings: of this run.
        data: the samples by benchmark.
        regard: the regard classifier's fingerprint; "" if there is none.
        engine: the policy's engine and its version; "" if not known yet.
        put: how prompts and scored sentences are put to the models (`prompts`, `scores`); empty if not known yet.

    """
    found: Facts = {}
    for name, held in data.items():
        kind = kind_of(name)
        mine = {"data": held.name, "data's sha256": held.sha256, "instrument's rules": fingerprints.fingerprint(name)}
        if regard and classifier_of(name) == "regard":  # a shard labels nothing, and opens no classifier
            mine["regard classifier"] = regard
        for key in _SETTINGS[kind]:
            mine[f"--rootfruit-{key.replace('_', '-')}"] = str(getattr(settings, key))
        if engine:
            # Another version of the engine is accepted; another engine is a different instrument.
            mine["engine"] = engine.split()[0]
            mine["way of asking"] = put.get("prompts" if kind == "prompts" else "scores", "plain text")
        found[name] = mine
    return found


def agree(baseline: Baseline, ours: Facts) -> None:
    """Raise BaselineError if the baseline was measured differently from this run.

    A benchmark that it lacks does not raise here: each of its checks is reported as an error.
    """
    for benchmark, mine in ours.items():
        theirs = baseline.facts.get(benchmark, {})
        for key, value in mine.items():
            if theirs and theirs.get(key) != value:
                there = theirs.get(key, "not recorded")
                raise BaselineError(
                    f"option --rootfruit-baseline: {baseline.path} cannot be compared with this run: its {key} of "
                    f"{benchmark} is {_short(there)}, but here it is {_short(value)}; use the same or save a new one"
                )


def _short(value: str) -> str:
    digest = len(value) in {32, 64} and value.isalnum()
    return plain(value[:12] if digest else value, 120) or "empty"


def save(path: str | Path, frames: Sequence[pd.DataFrame], kept: Facts, noise: float, result: Result) -> None:
    """Write a baseline atomically.

    Raises:
        BaselineError: the run is not complete, or the file cannot be written.

    """
    target = Path(path)
    if not result.complete:
        missing = result.missing
        named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise BaselineError(
            f"option --rootfruit-save-baseline: {path} is not written because the run is not complete: {len(missing)} "
            f"declared check(s) have no verdict ({named})"
        )
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = joined(frames).assign(role="policy")
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    head = {"schema": SCHEMA, "date": now, "facts": kept, "noise": noise, "result": msgspec.to_builtins(result)}
    head["digest"] = _digest(rows, head)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(head).encode()})
    content = io.BytesIO()
    try:
        pq.write_table(table, content, compression="zstd")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, content.getvalue())
    except OSError as error:
        raise BaselineError(f"option --rootfruit-save-baseline: {path} cannot be written ({error})") from error


def read(path: str | Path) -> Baseline:
    """Return a baseline.

    Raises:
        BaselineError: there is no such file, it is not a baseline, it is of another version, or it is damaged.

    """
    from rootfruit_checks.runs.baseline_types import Head

    where = f"baseline {untrusted.shown(path)}"
    again = "save it again with --rootfruit-save-baseline"
    raw = untrusted.read_bytes(path, BaselineError, limit=untrusted.TABLE_LIMIT, name=where)
    table = untrusted.read_parquet(raw, where, BaselineError)
    kept = (table.schema.metadata or {}).get(_KEY)
    if kept is None:
        raise BaselineError(f"{where}: is a Parquet file but not a baseline; {again}")
    told = f"{where}: its metadata"
    head = untrusted.parse_json(kept, told, BaselineError)
    found = head.get("schema") if isinstance(head, dict) else None
    if found != SCHEMA:
        raise BaselineError(f"{where}: has version {plain(str(found), 40)}, but this package reads {SCHEMA}; {again}")
    untrusted.check(head, Head, told, BaselineError)
    result = typed_result(head["result"], f"{where}: its result", BaselineError)
    if tuple(table.column_names) != tuple(ALL_COLUMNS):
        raise BaselineError(f"{where}: is damaged: its columns are not those of a baseline; {again}")
    rows = checked(table, ALL_COLUMNS, where, BaselineError)
    noted = head.pop("digest")
    if noted != _digest(rows, head):
        raise BaselineError(f"{where}: is damaged: its rows or its result have changed since it was saved; {again}")
    return Baseline(Path(path), rows, head["facts"], float(head["noise"]), result, head["date"])


def _digest(rows: pd.DataFrame, head: Mapping[str, Any]) -> str:
    sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name in rows.columns:
        column = rows[name]
        values = [value.hex() for value in column.tolist()] if column.dtype == "float64" else column.tolist()
        sha.update(json.dumps([name, values]).encode())
    return sha.hexdigest()
