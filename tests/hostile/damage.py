"""Ways to damage a file: by what stands in its place, by its bytes, and by its values. All are drawn from a seed."""

from __future__ import annotations

import copy
import json
import os
import random
import socket
from pathlib import Path

# What any value may be exchanged for; each is another type, or no number that anything can hold.
VALUES = (None, True, 5, -7, 2.5, 10**400, "abc", "", [], {}, [[]], {"a": 1}, ["x"], [None], float("nan"))


def in_place(file: Path) -> dict[str, object]:
    """Name -> what puts something else in a file's place."""

    def put(make):
        def act():
            if file.is_dir() and not file.is_symlink():
                raise ValueError(file)
            file.unlink(missing_ok=True)
            make()

        return act

    def bound():
        here = Path.cwd()
        os.chdir(file.parent)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as held:
            held.bind(file.name)
        os.chdir(here)

    return {
        "missing": put(lambda: None),
        "empty": put(lambda: file.write_bytes(b"")),
        "a directory": put(file.mkdir),
        "a FIFO": put(lambda: os.mkfifo(file)),
        "a socket": put(bound),
        "/dev/zero": put(lambda: file.symlink_to("/dev/zero")),
        "/dev/null": put(lambda: file.symlink_to("/dev/null")),
        "a broken link": put(lambda: file.symlink_to("nowhere")),
        "a link to itself": put(lambda: file.symlink_to(file.name)),
        "no rights": lambda: file.exists() and file.chmod(0),
    }


def anything(file: Path) -> bool:
    """Whether a file is there and holds something."""
    return bool(file.is_file() and file.read_bytes()) or (file.exists() and not file.is_file())


def in_bytes(raw: bytes, draw: random.Random) -> dict[str, bytes]:
    """Name -> damaged content of any file."""
    place = draw.randrange(len(raw))
    flipped = bytearray(raw)
    flipped[place] ^= 1 << draw.randrange(8)
    cut = draw.randrange(1, len(raw))
    noise = draw.randbytes(200)
    return {
        f"cut off at {cut}": raw[:cut],
        f"bit flipped at {place}": bytes(flipped),
        f"noise at {place}": raw[:place] + noise + raw[place + len(noise) :],
        "noise alone": noise,
        "twice": raw + raw,
        "zeros at the end": raw[: len(raw) // 2] + bytes(len(raw) - len(raw) // 2),
        "bytes swapped": raw[1::-1] + raw[2:],
    }


def in_text(raw: bytes) -> dict[str, bytes]:
    """Name -> damaged content of a text file."""
    text = raw.decode()
    return {
        "UTF-16": text.encode("utf-16"),
        "a byte of Latin-1": raw[: len(raw) // 2] + b"\xe9" + raw[len(raw) // 2 :],
        "a NUL": raw[: len(raw) // 2] + b"\0" + raw[len(raw) // 2 :],
    }


def in_json(raw: bytes) -> dict[str, bytes]:
    """Name -> damaged content of a JSON file, whatever it holds."""
    text = raw.decode()
    key = next(iter(json.loads(text)))
    return {
        **in_text(raw),
        "nested 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
        "objects nested 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "a value nested 10,000 deep": f'{{"x": {"[" * 10_000}{"]" * 10_000}, {text.lstrip()[1:]}'.encode(),
        "a number of 400 digits": b"9" * 400,
        "a number of 10,000 digits": f'{{"x": {"9" * 10_000}, {text.lstrip()[1:]}'.encode(),
        "1e999": f'{{"x": 1e999, {text.lstrip()[1:]}'.encode(),
        "a list": b"[]",
        "null": b"null",
        "text": b'"text"',
        "an empty object": b"{}",
        "a key twice": f"{{{json.dumps(key)}: null, {text.lstrip()[1:]}".encode(),
        "a comma at the end": (text.rstrip()[:-1] + ",}").encode(),
        "more after the end": raw + b"{}",
        "single quotes": raw.replace(b'"', b"'"),
        "a mark at the start": "\ufeff".encode() + raw,
    }


def places(value, path=()):
    """Every path into a JSON value."""
    found = [path] if path else []
    for key, held in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(held, (*path, key))
    return found


def in_value(value, draw: random.Random, chosen=None):
    """Return what was done to one place of a JSON value, where, and the changed value."""
    path = chosen or draw.choice(places(value))
    changed = copy.deepcopy(value)
    held = changed
    for part in path[:-1]:
        held = held[part]
    where = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    old = held[path[-1]]
    how = draw.choice(("exchanged", "exchanged", "exchanged", "removed", "wrapped", "a key more"))
    if how == "removed":
        del held[path[-1]]
    elif how == "wrapped":
        held[path[-1]] = [old]
    elif how == "a key more" and isinstance(old, dict):
        old["surprise"] = 1
    else:
        new = draw.choice([one for one in VALUES if type(one) is not type(old) or one != old])
        held[path[-1]] = new
        how = f"{str(new)[:12]!r}"
    return f"{where}: {how}", path, changed
