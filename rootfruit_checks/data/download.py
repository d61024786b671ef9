"""`rootfruit data`: downloads the official files, pinned by their git object ids."""

from __future__ import annotations

import argparse
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rootfruit_checks.base.console import say as say_line
from rootfruit_checks.base.errors import DataError
from rootfruit_checks.base.files import replacing
from rootfruit_checks.base.paths import expanded
from rootfruit_checks.catalog.measures import OfficialFile
from rootfruit_checks.catalog.registry import BENCHMARKS

# For one file, from the first byte to the last.
_TIMEOUT_S = 600.0
_SILENCE_S = 60.0


def official_files() -> tuple[OfficialFile, ...]:
    """Return the official files of every benchmark."""
    return tuple(file for held in BENCHMARKS.values() for file in held.files)


def pin_of(content: bytes, kind: str) -> str:
    """Return the pin of a file: `git:` is sha1 over "blob <size>\\0" and the bytes, `sha256:` over them."""
    if kind == "git":
        # git's object id identifies the upstream file; it does not protect against a deliberate SHA-1 collision.
        head = f"blob {len(content)}\0".encode()
        return f"git:{hashlib.sha1(head + content, usedforsecurity=False).hexdigest()}"
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def matches(path: Path, pin: str) -> bool:
    """Whether a file is the pinned one."""
    return pin_of(path.read_bytes(), pin.partition(":")[0]) == pin


def cache_directory() -> Path:
    """The directory of fetched files: `ROOTFRUIT_DATA`, else the user's cache directory."""
    import platformdirs

    if named := os.environ.get("ROOTFRUIT_DATA"):
        return Path(expanded("ROOTFRUIT_DATA", named))
    return Path(platformdirs.user_cache_dir("rootfruit-checks", appauthor=False))


def _url(remote: OfficialFile) -> str:
    """Upstream's address of a file, or that of the mirror which `ROOTFRUIT_DATA_MIRROR` names."""
    base = os.environ.get("ROOTFRUIT_DATA_MIRROR") or "https://raw.githubusercontent.com"
    return f"{base.rstrip('/')}/{remote.path}"


def verified(names: Sequence[str]) -> list[Path]:
    """Return the fetched files of these names, each verified.

    Raises:
        DataError: a file is not fetched, or differs from upstream; the message says what to run.

    """
    folder = cache_directory()
    wanted = [remote for name in names for remote in official_files() if remote.name == name]
    missing = [remote.name for remote in wanted if not (folder / remote.name).is_file()]
    if missing:
        listed = " ".join(missing)
        raise DataError(f"{', '.join(missing)}: not fetched (into {folder}); run `rootfruit data fetch {listed}`")
    for remote in wanted:
        if not matches(folder / remote.name, remote.pin):
            told = f"is not the file that upstream holds ({remote.pin})"
            raise DataError(f"{folder / remote.name}: {told}; run `rootfruit data fetch {remote.name}`")
    return [folder / remote.name for remote in wanted]


def fetch(remote: OfficialFile, folder: Path, *, offline: bool = False) -> Path:
    """Return the verified file, downloading it if it is missing.

    Only a verified file is ever written, in one step; a download that breaks off leaves nothing. Processes that fetch
    the same file wait for each other.

    Raises:
        DataError: offline and missing; the server cannot be reached or sends another file.

    """
    from filelock import FileLock

    path = folder / remote.name
    if path.is_file() and matches(path, remote.pin):
        return path
    if offline:
        raise DataError(f"{path}: is missing or changed, and --offline forbids fetching it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{remote.name}.lock", timeout=_TIMEOUT_S + _SILENCE_S):
            if not (path.is_file() and matches(path, remote.pin)):
                content = _download(remote, path)
                with replacing(path) as out:
                    out.write(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); check ROOTFRUIT_DATA") from error
    return path


def _download(remote: OfficialFile, path: Path) -> bytes:
    """Return the content of the pinned file.

    A separate thread downloads it, so that the timeout also stops a server that sends a byte now and then.
    """
    url = _url(remote)
    came: list[bytes | str] = []
    stop = threading.Event()
    worker = threading.Thread(target=lambda: came.append(_transfer(url, remote.most, stop)), daemon=True)
    worker.start()
    try:
        worker.join(_TIMEOUT_S)
    finally:
        stop.set()
    content = came[0] if came else f"not finished in {_TIMEOUT_S:g} s"
    if isinstance(content, str):
        raise DataError(
            f"{url}: cannot be fetched ({content[:200]}); check the network and run it again, name a mirror in "
            f"ROOTFRUIT_DATA_MIRROR, or put the file there yourself: {path}"
        )
    found = pin_of(content, remote.pin.partition(":")[0])
    if found != remote.pin:
        raise DataError(
            f"{url}: sent a file that is not the pinned {remote.pin} ({found}, {len(content)} bytes); it was discarded"
        )
    return content


def _transfer(url: str, most: int, stop: threading.Event) -> bytes | str:
    """Return the content at the address, or a message that says why it could not be fetched."""
    import requests
    import urllib3

    host = urlsplit(url).netloc.rpartition("@")[2]
    parts, size = [], 0
    try:
        # Bytes are counted as they are sent, so they must not be compressed.
        headers = {"Accept-Encoding": "identity"}
        with requests.get(url, stream=True, timeout=(10, min(_SILENCE_S, _TIMEOUT_S)), headers=headers) as answer:
            if answer.status_code != 200:
                return f"{answer.status_code} {answer.reason or ''} from {host}"
            for part in answer.raw.stream(1 << 16, decode_content=False):
                size += len(part)
                if size > most:
                    return f"{host} sends more than the {most} bytes that the file may have"
                if stop.is_set():
                    break
                parts.append(part)
    except requests.Timeout:
        return f"no answer from {host}"
    except requests.ConnectionError:
        return f"no connection to {host}"
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return f"the transfer from {host} broke off: {type(error).__name__}"
    return b"".join(parts)


def add_data_parser(commands: Any) -> None:
    """Add `data list|fetch|verify|path` to a subparsers object."""
    data: argparse.ArgumentParser = commands.add_parser("data", help="the official files of the benchmarks")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, text in (
        ("list", "list the files, with licences and pins"),
        ("fetch", "download and verify"),
        ("verify", "check the fetched files against the pins"),
        ("path", "print the directory of the files"),
    ):
        parser = actions.add_parser(action, help=text)
        if action in {"fetch", "verify"}:
            parser.add_argument("names", nargs="*", metavar="FILE", help="files, by name (default: all)")
        if action == "fetch":
            parser.add_argument("--offline", action="store_true", help="fetch nothing; fail if a file is missing")


def run_data(arguments: argparse.Namespace, say: Callable[[str], None] = say_line) -> int:
    """Run one `rootfruit data` action and return the exit status: 1 if `verify` finds a file missing or changed.

    Raises:
        DataError: an unknown file name, or a file that cannot be fetched.

    """
    folder = cache_directory()
    if arguments.action == "path":
        say(str(folder))
        return 0
    names = list(getattr(arguments, "names", ()) or ())
    unknown = sorted(set(names) - {remote.name for remote in official_files()})
    if unknown:
        raise DataError(f"{', '.join(unknown)}: no such official file; `rootfruit data list` names them")
    bad = 0
    for remote in (remote for remote in official_files() if not names or remote.name in names):
        path = folder / remote.name
        if arguments.action == "fetch":
            say(f"{remote.name}: licence {remote.licence}, from {_url(remote)}")
            fetch(remote, folder, offline=arguments.offline)
        state = "missing" if not path.is_file() else "verified" if matches(path, remote.pin) else "CHANGED"
        bad += state != "verified"
        told = f"; {_url(remote)}" if arguments.action == "list" else ""
        say(f"{remote.name}: {state}; licence {remote.licence}; {remote.pin}{told}")
    return 1 if bad and arguments.action == "verify" else 0
