"""`rootfruit data`: the official files, pinned by the id under which upstream's git holds them."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rootfruit_checks.errors import DataError
from rootfruit_checks.paths import expanded

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

    if named := os.environ.get("ROOTFRUIT_DATA"):
        return Path(expanded("ROOTFRUIT_DATA", named))
    return Path(platformdirs.user_cache_dir("rootfruit-checks", appauthor=False))


def _url(remote: Remote) -> str:
    """Upstream's address of a file, or that of the mirror which `ROOTFRUIT_DATA_MIRROR` names."""
    base = os.environ.get("ROOTFRUIT_DATA_MIRROR") or "https://raw.githubusercontent.com"
    return f"{base.rstrip('/')}/{remote.path}"


def verified(names: Sequence[str]) -> list[Path]:
    """Return the fetched files of these names, each verified.

    Raises:
        DataError: a file is not fetched, or is not what upstream holds; it says what to run.

    """
    folder = cache_directory()
    wanted = [remote for name in names for remote in FILES if remote.name == name]
    missing = [remote.name for remote in wanted if not (folder / remote.name).is_file()]
    if missing:
        listed = " ".join(missing)
        raise DataError(f"{', '.join(missing)}: not fetched (into {folder}); run `rootfruit data fetch {listed}`")
    for remote in wanted:
        if not matches(folder / remote.name, remote.pin):
            told = f"is not the file that upstream holds ({remote.pin})"
            raise DataError(f"{folder / remote.name}: {told}; run `rootfruit data fetch {remote.name}`")
    return [folder / remote.name for remote in wanted]


def fetch(remote: Remote, folder: Path, *, offline: bool = False) -> Path:
    """Return the verified file, downloading it where it is missing; a broken transfer goes on where it stopped.

    What has come so far lies in NAME.part; only a verified file ever stands under its name. Processes that fetch the
    same file wait for each other.

    Raises:
        DataError: offline and not there; the server cannot be reached or gives another file.

    """
    from filelock import FileLock

    path = folder / remote.name
    if path.is_file() and matches(path, remote.pin):
        return path
    if offline:
        raise DataError(f"{path}: is not there (or changed) and --offline forbids fetching it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{remote.name}.lock"):
            if not (path.is_file() and matches(path, remote.pin)):
                _download(remote, path)
    except OSError as error:
        raise DataError(
            f"{_url(remote)}: cannot be fetched ({error}); what came so far is kept, run it again"
        ) from error
    return path


def _download(remote: Remote, path: Path) -> None:
    partial = path.with_name(f"{path.name}.part")
    resumed = partial.exists()
    _transfer(_url(remote), partial)
    if resumed and not matches(partial, remote.pin):
        # What lay there was no beginning of this file: once more from nothing.
        partial.unlink()
        _transfer(_url(remote), partial)
    if not matches(partial, remote.pin):
        partial.unlink()
        raise DataError(f"{_url(remote)}: gave another file than the pinned {remote.pin}; it was thrown away")
    partial.replace(path)


def _transfer(url: str, partial: Path) -> None:
    """Let pooch download what is missing of `partial`, and start it over where the server sends it from the start."""
    import pooch
    import requests

    have = partial.stat().st_size if partial.exists() else 0
    # Ranges count the bytes that are sent, so they must not be compressed.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with partial.open("ab") as out:

        def on_answer(answer: requests.Response, *_: object, **__: object) -> None:
            sent = answer.headers.get("Content-Range", f"bytes {have}-")
            if answer.status_code == 206 and not sent.startswith(f"bytes {have}-"):
                raise OSError("the server answers with another range than was asked for")
            if answer.status_code == 200:
                out.truncate(0)

        get = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(), timeout=60, headers=headers, hooks={"response": on_answer}
        )
        try:
            get(url, out, None)
        except requests.HTTPError as error:
            # Nothing is left to send: all of it is here, or it is no part of this file. The pin tells.
            if not (have and error.response is not None and error.response.status_code == 416):
                raise


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


def _say(line: str) -> None:
    print(line)  # noqa: T201  this is the command's output


def run_data(arguments: argparse.Namespace, say: Callable[[str], None] = _say) -> int:
    """Run one `rootfruit data` action and return the exit status: 1 where `verify` finds a file missing or changed.

    Raises:
        DataError: an unknown file name, or a file that cannot be fetched.

    """
    folder = cache_directory()
    if arguments.action == "path":
        say(str(folder))
        return 0
    names = list(getattr(arguments, "names", ()) or ())
    unknown = sorted(set(names) - {remote.name for remote in FILES})
    if unknown:
        raise DataError(f"{', '.join(unknown)}: no such official file; `rootfruit data list` names them")
    bad = 0
    for remote in (remote for remote in FILES if not names or remote.name in names):
        path = folder / remote.name
        if arguments.action == "fetch":
            say(f"{remote.name}: licence {remote.licence}, from {_url(remote)}")
            fetch(remote, folder, offline=arguments.offline)
        state = "missing" if not path.is_file() else "verified" if matches(path, remote.pin) else "CHANGED"
        bad += state != "verified"
        told = f"; {_url(remote)}" if arguments.action == "list" else ""
        say(f"{remote.name}: {state}; licence {remote.licence}; {remote.pin}{told}")
    return 1 if bad and arguments.action == "verify" else 0
