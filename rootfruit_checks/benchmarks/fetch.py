"""`rootfruit data`: the official files, pinned by the id under which upstream's git holds them."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rootfruit_checks.errors import DataError

_TANGO = "amazon-science/tango/bbaf0bb22a3fc391e2e7247a2d25c6850625013b/prompts"
_WINOQUEER = "katyfelkner/winoqueer/1180ba62df6bd1e682db8f2bf90f3add67cc0500/data"
_PARTS = (
    "221a5b91939f8708152cf835afc8d3b6b8712d5a",
    "31e18fc5c43d3a11543119d752d46f1a3fa62156",
    "b7fa26a19135f6bc9f41901038e316cbf946fc70",
    "b8f20932a8594b77d702ee69be7df6631f8d53f3",
    "8de65eea0fb217837ffe3e5b069644bac416a6f0",
    "4dfbe61a86efca56e91a6da81de7505482ae2bda",
    "682fe445b5699dc83c2ade58f0a8e60a42f23324",
    "5f767e531d4af6aed56e1c019a30d78ed476752e",
)


@dataclass(frozen=True, slots=True)
class Remote:
    """One official file: its name here, upstream's path, its licence, and its pin ("git:" or "sha256:" and hex)."""

    name: str
    path: str
    licence: str
    pin: str


FILES: tuple[Remote, ...] = (
    Remote(
        "winoqueer_final.csv",
        f"{_WINOQUEER}/winoqueer_final.csv",
        "MIT",
        "git:0c874a4b98b41435a2359e9a69d95ab7bd95302d",
    ),
    Remote(
        "misgendering_prompts.csv",
        f"{_TANGO}/misgendering_prompts.csv",
        "CC BY-SA 4.0",
        "git:01d2d8aff29241ddddb38523b8001e9f3e74467d",
    ),
    *(
        Remote(
            f"part_{number}_gender_disclosure_prompts.csv",
            f"{_TANGO}/gender_disclosure_prompts/part_{number}_gender_disclosure_prompts.csv",
            "CC BY-SA 4.0",
            f"git:{blob}",
        )
        for number, blob in enumerate(_PARTS, start=1)
    ),
)


def matches(path: Path, pin: str) -> bool:
    """Whether a file is the pinned one: `git:` is sha1 over "blob <size>\\0" and the bytes, `sha256:` over them."""
    kind, _, wanted = pin.partition(":")
    sha: Any = hashlib.sha256()
    if kind == "git":
        # git's own object id: it names the file upstream, and is no protection against a forger with a SHA-1 collision.
        sha = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha.update(chunk)
    return bool(sha.hexdigest() == wanted)


def cache_directory() -> Path:
    """Where fetched files lie: `ROOTFRUIT_DATA`, else the user's cache directory."""
    import platformdirs

    return Path(os.environ.get("ROOTFRUIT_DATA") or platformdirs.user_cache_dir("rootfruit-checks", appauthor=False))


def _base() -> str:
    return os.environ.get("ROOTFRUIT_DATA_MIRROR", "https://raw.githubusercontent.com").rstrip("/")


def verified(names: Sequence[str]) -> list[Path]:
    """Return the fetched files among `names`, each verified; raise DataError where one is missing or changed."""
    folder = cache_directory()
    wanted = [remote for remote in FILES if remote.name in names]
    for remote in wanted:
        path = folder / remote.name
        if not path.is_file():
            raise DataError(f"{remote.name} is not fetched: run `rootfruit data fetch {remote.name}` (into {folder})")
        if not matches(path, remote.pin):
            raise DataError(f"{path}: is not the file that upstream holds ({remote.pin}); fetch it again")
    return [folder / remote.name for remote in wanted]


def fetch(remote: Remote, folder: Path, *, offline: bool = False) -> Path:
    """Return the verified file, downloading it where it is missing; a broken transfer goes on where it stopped.

    Raises:
        DataError: offline and not there; the server cannot be reached or gives another file. Nothing half-finished
            ever stands under the file's name.

    """
    path = folder / remote.name
    if path.is_file() and matches(path, remote.pin):
        return path
    if offline:
        raise DataError(f"{path}: is not there (or changed) and --offline forbids fetching it")
    import pooch
    import requests

    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{remote.name}.part"
    url = f"{_base()}/{remote.path}"

    def resume(source: str, target: str, _: object) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(source, headers=headers, stream=True, timeout=60) as answer:
            if answer.status_code != 416:
                answer.raise_for_status()
                with partial.open("ab" if answer.status_code == 206 else "wb") as out:
                    for chunk in answer.iter_content(1 << 16):
                        out.write(chunk)
        Path(target).write_bytes(b"")

    try:
        # pooch gives retries and the temporary name; the pin is checked by our one verifier, which knows git ids.
        pooch.retrieve(url, known_hash=None, fname=f".{remote.name}.done", path=folder, downloader=resume)
    except (OSError, ValueError) as error:
        raise DataError(f"{url}: cannot be fetched ({error}); what came so far is kept, run it again") from error
    finally:
        (folder / f".{remote.name}.done").unlink(missing_ok=True)
    if not matches(partial, remote.pin):
        partial.unlink()
        raise DataError(f"{url}: gave another file than the pinned {remote.pin}; it was thrown away")
    partial.replace(path)
    return path


def add_data_parser(commands: Any) -> None:
    """Add `data list|fetch|verify|path` to a subparsers object."""
    data: argparse.ArgumentParser = commands.add_parser("data", help="the official WinoQueer and TANGO files")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, text in (
        ("list", "what there is, with licences and pins"),
        ("fetch", "download and verify"),
        ("verify", "check what is there against the pins"),
        ("path", "print the directory of the files"),
    ):
        parser = actions.add_parser(action, help=text)
        if action in {"fetch", "verify"}:
            parser.add_argument("names", nargs="*", metavar="FILE", help="files, by name (default: all)")
        if action == "fetch":
            parser.add_argument("--offline", action="store_true", help="fetch nothing; fail where a file is missing")


def run_data(arguments: argparse.Namespace) -> int:
    """Run one `rootfruit data` action; returns the exit status."""
    folder = cache_directory()
    if arguments.action == "path":
        _say(str(folder))
        return 0
    names = list(getattr(arguments, "names", ()) or [])
    unknown = sorted(set(names) - {remote.name for remote in FILES})
    if unknown:
        raise DataError(f"{', '.join(unknown)}: no such official file; `rootfruit data list` names them")
    wanted = [remote for remote in FILES if not names or remote.name in names]
    bad = 0
    for remote in wanted:
        path = folder / remote.name
        if arguments.action == "fetch":
            _say(f"{remote.name}: licence {remote.licence}, from {remote.path}")
            fetch(remote, folder, offline=arguments.offline)
        state = "missing" if not path.is_file() else "verified" if matches(path, remote.pin) else "CHANGED"
        bad += state != "verified"
        _say(f"{remote.name}: {state}; licence {remote.licence}; {remote.pin}")
    return 1 if bad and arguments.action == "verify" else 0


def _say(line: str) -> None:
    print(line)  # noqa: T201  this is the command's output
