"""Merges the stores of shards into one store, and runs the gate on it once.

Only shards of the same run are merged: every difference between runs is an error that names the directory, what
differs and both values. The merged store is created atomically.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.console import complain
from rootfruit_checks.base.errors import StoreError
from rootfruit_checks.base.text import plain
from rootfruit_checks.runs import pytest_process
from rootfruit_checks.runs import shard_manifest as manifest
from rootfruit_checks.runs.shard_manifest import Manifest
from rootfruit_checks.store.store import Store, digest

# Records of tables. Tables are not merged but rebuilt from all answers.
_OF_TABLES = "record:"
# pytest's exit status if no tests were collected.
_NO_TESTS = 5


@dataclass(frozen=True, slots=True)
class Joined:
    """The outcome of a merge: the manifest, the number of units, and notes."""

    manifest: Manifest
    units: int
    notes: tuple[str, ...]


def join(directories: Sequence[Path], into: Path) -> Joined:
    """Join the stores of all shards of one run into a new store.

    Args:
        directories: the shards' stores, in any order; one may hold several shards.
        into: the store to create; it must not exist yet.

    Raises:
        StoreError: a directory is not a finished shard of the same run, one is missing, two contradict each other, or
            `into` cannot be created. Nothing is left behind then.

    """
    where = untrusted.shown(into)
    try:
        taken = untrusted.is_there(into) and (not untrusted.is_directory(into) or any(into.iterdir()))
    except OSError as error:
        raise StoreError(f"option --into: {where} cannot be used ({error.strerror})") from error
    if taken:
        raise StoreError(
            f"{where}: already exists; name a new directory, or run the gate on it with --rootfruit-store={where}"
        )
    held = {directory: _manifest(directory) for directory in dict.fromkeys(directories)}
    first, base = next(iter(held.items()))
    for directory, other in held.items():
        _agree(first, base, directory, other)
    _all_there(held)
    partial = into.with_name(f".rootfruit-{secrets.token_hex(8)}.tmp")
    try:
        partial.mkdir(parents=True)
        with Store(partial) as store:
            joined = _copy(held, store)
        if into.exists():
            into.rmdir()
        partial.replace(into)
    except OSError as error:
        raise StoreError(f"{untrusted.shown(into)}: cannot be made ({error.strerror or error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return joined


def gate(joined: Joined, store: Path, json: Path | None, extra: Sequence[str]) -> int:
    """Gate a joined store once, by pytest with the settings of its shards; return pytest's exit status.

    No model runs: an answer missing from the store is an error. `extra` comes last, so it can give other model paths,
    tests to run, or reports to write.
    """
    options = manifest.arguments(joined.manifest.options)
    options += [f"--rootfruit-store={store}", "--rootfruit-stored-only"]
    options += [f"--rootfruit-json={json}"] if json else []
    status = pytest_process.pytest([*options, *extra])
    if status == _NO_TESTS:
        complain(
            "rootfruit: pytest found no tests here; name the suite: "
            "rootfruit merge ... -- --pyargs rootfruit_checks.bias_tests"
        )
    return status


def _manifest(directory: Path) -> Manifest:
    with Store.existing(directory) as store:
        found = manifest.read(store)
    if found is None:
        raise StoreError(f"{directory}: is not the store of a shard; create one with --rootfruit-shard=I/N")
    for index, share in sorted(found.shares.items()):
        if not share.complete:
            undone = next((name for name, (mine, _, done) in share.stages.items() if done < mine), "")
            where = f" (cut off in {undone})" if undone else ""
            raise StoreError(
                f"{directory}: shard {index}/{found.count} is not complete{where}; run it again with this store"
            )
    return found


def _agree(first: Path, base: Manifest, directory: Path, other: Manifest) -> None:
    ours, theirs = _told(base), _told(other)
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        here, there = theirs.get(key, "none"), ours.get(key, "none")
        if here != there:
            raise StoreError(
                f"{directory}: is a shard of another run: its {key} is {_short(here)}, but in {first} it is "
                f"{_short(there)}"
            )


def _told(held: Manifest) -> dict[str, str]:
    """Return everything that must agree: the facts, and the exact settings for the gate (facts show them rounded)."""
    # Models are compared by fingerprint: their paths may differ between machines.
    options = {key: value for key, value in held.options.items() if key not in {"model", "reference"}}
    return held.facts | {f"option {key}": str(value) for key, value in options.items()}


def _short(value: str) -> str:
    """Return a value for a message, with digests shortened."""
    words = [word[:12] if len(word) in {32, 64} and word.isalnum() else word for word in value.split()]
    return plain(" ".join(words), 200) or "empty"


def _all_there(held: dict[Path, Manifest]) -> None:
    count = next(iter(held.values())).count
    shares = {}
    planned: dict[str, tuple[Path, int]] = {}
    for directory, found in held.items():
        for index, share in found.shares.items():
            shares[index] = share
            for name, (_, total, _) in share.stages.items():
                where, before = planned.setdefault(name, (directory, total))
                if before != total:
                    raise StoreError(
                        f"{directory}: is a shard of another plan: its {name} has {total} units, but in {where} it "
                        f"has {before}; did the model refuse the prefix tree on one machine?"
                    )
    missing = [f"{index}/{count}" for index in range(1, count + 1) if index not in shares]
    if missing:
        named = ", ".join(missing[:8]) + (", …" if len(missing) > 8 else "")
        raise StoreError(f"{len(missing)} of {count} shards are missing: {named}; give their stores too")
    for name, (_, total) in planned.items():
        there = sum(share.stages.get(name, [0])[0] for share in shares.values())
        if there != total:
            raise StoreError(f"the shards hold {there} of {total} units of {name}; please report this")


def _copy(held: dict[Path, Manifest], store: Store) -> Joined:
    base = next(iter(held.values()))
    notes = []
    copied: dict[str, dict[str, Path]] = {}
    for directory in held:
        with Store(directory) as other:
            for role, namespace in base.prints.items():
                sources = copied.setdefault(namespace, {})
                fresh = [(k, v) for k, v in other.units_of(namespace) if not k.startswith(_OF_TABLES)]
                differ = store.put_new(namespace, fresh)
                if differ and not base.engines.get(role, "").startswith("vllm"):
                    key, kept, given = differ[0]
                    raise StoreError(
                        f"{directory}: {role}'s unit {key[:12]} has the value {digest(given)[:12]}, but in "
                        f"{sources[key]} it is {digest(kept)[:12]}; the same work must give the same answer"
                    )
                if differ:
                    notes.append(
                        f"{directory}: {len(differ)} units of {role} were also computed by another shard, with "
                        "different values, as can happen with vLLM; the first values are kept"
                    )
                sources.update((key, directory) for key, _ in fresh if key not in sources)
            for plan, seed in other.attempts():
                store.attempt(plan, seed)
    return Joined(base, sum(map(len, copied.values())), tuple(notes))
