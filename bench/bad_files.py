"""Damage files of every kind that we read, and options, and count what no input may bring about.

    python bench/bad_files.py [--cases N] [--seed N] [--only WORDS] [--show] [--json [FILE]]

Each case damages one file of a whole project (see `tests/hostile`) and runs the real entry point in a process of its
own. It ends with 1 where there was a traceback, an INTERNALERROR, a crash, a hang beyond 30 s, or a silent pass: exit
status 0, and neither a file that still says the same nor one that a JSON Schema or plain transformers accepts too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "hostile"), str(ROOT / "tests" / "report")]
os.environ |= {"HF_HUB_OFFLINE": "1", "COLUMNS": "200", "MPLCONFIGDIR": tempfile.gettempdir()}

import damage  # noqa: E402
import forked  # noqa: E402
import options  # noqa: E402
import targets  # noqa: E402
from record import Column, Table, add_option, save  # noqa: E402


def copied(target: targets.Target, to: Path) -> Path:
    """Copy the target's folder; large files that are not damaged are linked."""

    def copy(source: str, goal: str) -> None:
        mine = Path(goal).relative_to(to).as_posix() == target.file
        if not mine and Path(source).stat().st_size > 100_000 and source.endswith((".safetensors", ".html")):
            os.link(source, goal)
        else:
            shutil.copy2(source, goal)

    shutil.copytree(target.folder, to, copy_function=copy, symlinks=True)
    return to / target.file


def draw_damage(target: targets.Target, file: Path, draw: random.Random):
    """Damage the file in one way; returns how."""
    raw = file.read_bytes() if file.exists() else b""
    more = {"json": ["json", "value", "value", "value", "value"], "text": ["text"]}
    ways = ["place", "bytes", "bytes", *more.get(target.form, [])] if raw else ["place"]
    if file.name.endswith(".safetensors"):
        ways += ["header", "header"]
    way = draw.choice(ways)
    if way == "place":
        how, act = draw.choice(sorted(damage.in_place(file).items()))
        act()
        return how
    if way == "header":
        size = int.from_bytes(raw[:8], "little")
        how, _, changed = damage.in_value(json.loads(raw[8 : 8 + size]), draw)
        head = json.dumps(changed).encode()
        file.write_bytes(len(head).to_bytes(8, "little") + head + raw[8 + size :])
        return f"header {how}"
    if way == "value":
        value = json.loads(raw)
        found = damage.places(value)
        near = [one for one in found if len(one) < 4]
        how, _, changed = damage.in_value(value, draw, draw.choice(near if draw.random() < 0.5 else found))
        file.write_text(json.dumps(changed), "utf-8")
        return how
    made = {"bytes": lambda: damage.in_bytes(raw, draw), "json": lambda: damage.in_json(raw),
            "text": lambda: damage.in_text(raw)}[way]()  # fmt: skip
    how, content = draw.choice(sorted(made.items()))
    file.write_bytes(content)
    return how


def harmless(target: targets.Target, file: Path, whole: forked.Outcome, now: forked.Outcome) -> str:
    """Why a damaged file may be accepted, or ""."""
    if now.out == whole.out and not target.name.startswith(("result", "page", "sheet", "pyproject", "data")):
        return "says the same"
    if target.name == "pyproject" and not damage.anything(file):
        return "sets nothing"
    if file.is_symlink() or not file.is_file():
        return "is not needed" if target.name in OPTIONAL and now.out == whole.out else ""
    if file.suffix == ".safetensors" and _same_header(target.folder / target.file, file):
        return "holds other weights"
    before, after = (one.read_bytes() if one.exists() else b"" for one in (target.folder / target.file, file))
    if before == after:
        return "no rights, and read as root" if os.geteuid() == 0 else "says the same"
    if target.name.startswith("result"):
        return _valid_result(after)
    return _same_meaning(target, before, after)


OPTIONAL = {"lock", "lock holder"}


def _valid_result(raw: bytes) -> str:
    from jsonschema import Draft202012Validator

    from rootfruit_checks.results.schema import result_schema

    try:
        value = json.loads(raw.decode())
    except ValueError:
        return ""
    return "" if list(Draft202012Validator(result_schema()).iter_errors(value)) else "is a valid result"


def _same_meaning(target: targets.Target, before: bytes, after: bytes) -> str:
    if target.name == "sheet":
        # Letters of a text that are no letters at all, or the case of a mark.
        bare = ["".join(c for c in one.decode("utf-8", "ignore").casefold() if c.isalnum()) for one in (before, after)]
        return "has the same letters" if bare[0] == bare[1] else ""
    if target.name == "page":
        return ""
    if target.name == "pyproject":
        return _same_toml(before, after)
    if target.name.startswith("data"):
        return "is text of the same form" if _text(after) and after.count(b"\n") == before.count(b"\n") else ""
    return ""


def _same_header(before: Path, after: Path) -> bool:
    """Whether two files of weights differ in their values alone: any values are some model's."""
    raw = before.read_bytes(), after.read_bytes()
    size = 8 + int.from_bytes(raw[0][:8], "little")
    return raw[0][:size] == raw[1][:size] and len(raw[0]) == len(raw[1])


def _text(raw: bytes) -> bool:
    try:
        return "\0" not in raw.decode()
    except UnicodeDecodeError:
        return False


def _same_toml(before: bytes, after: bytes) -> str:
    import tomllib

    try:
        held = [tomllib.loads(one.decode()) for one in (before, after)]
    except ValueError:
        return ""
    known = {"scale", "seed", "limit"}
    given = held[1].get("tool", {}).get("rootfruit")
    if given is None:
        return "names another tool"
    return "is other settings" if set(given) <= known else ""


def main() -> int:
    """Run the cases; 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=700, help="files, beside every option")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds that begin so")
    parser.add_argument("--whole", type=Path, help="keep the whole files here, and take them from here again")
    parser.add_argument("--show", action="store_true", help="print each case")
    add_option(parser)
    given = parser.parse_args()
    import jsonschema  # noqa: F401
    import torch
    import transformers  # noqa: F401

    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="bad-files-"))
    try:
        return _run(given, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(given: argparse.Namespace, folder: Path) -> int:
    whole = (given.whole or folder / "whole").absolute()
    if not whole.exists():
        targets.make(whole)
    kinds = [one for one in targets.listed(whole) if one.name.startswith(given.only)]
    wholes, longest = {}, {}
    for target in kinds:
        place = folder / "case"
        copied(target, place)
        begun = time.monotonic()
        wholes[target.name] = done = forked.run(target.act, place, 300.0)
        # On a busy machine a whole file takes its time too.
        longest[target.name] = max(forked.LONGEST_S, 5 * (time.monotonic() - begun))
        if done.fault or done.status not in {0, 1}:
            raise SystemExit(f"{target.name}: the whole file ends with {done}")
        shutil.rmtree(place)
    counts: Counter[str] = Counter()
    for number in range(given.cases):
        target = kinds[number % len(kinds)]
        draw = random.Random(f"{given.seed}/{number}")
        place = folder / "case"
        file = copied(target, place)
        how = draw_damage(target, file, draw)
        place.chmod(0o777)
        done = forked.run(target.act, place, longest[target.name])
        verdict = done.fault
        if not verdict and done.status == 0:
            verdict = harmless(target, file, wholes[target.name], done) or "silent pass"
        elif not verdict:
            lines = [line for line in done.err.splitlines() if line.startswith("rootfruit: ")]
            verdict = (
                "refused" if lines or "rootfruit:" in done.out + done.err else "refused by a failed test, or by pytest"
            )
        counts[verdict] += 1
        if not (number + 1) % 50:
            print(f"... {number + 1} cases", file=sys.stderr, flush=True)
        faults = {"silent pass", "hang", "traceback", "INTERNALERROR"}
        if given.show or verdict in faults or verdict.startswith("crash"):
            print(f"{number} {target.name}: {how}: {verdict} ({done.status})", flush=True)
            print("    " + (done.err or done.out).strip().replace("\n", "\n    ")[-1500:], flush=True)
        _remove(place)
    if not given.only or given.only == "options":
        counts.update(options.run(folder / "case", given.show))
    bad = sum(number for what, number in counts.items() if what in BAD or what.startswith("crash"))
    for what, number in counts.most_common():
        print(f"{number:6} {what}")
    print(f"{counts.total():6} cases, {bad} faults")
    save(
        given.json,
        "damaged files and options",
        [Table("Cases", (Column("ended"), Column("cases", "count")), tuple(counts.most_common()))],
        outside=[f"{bad} faults"] if bad else [],
        notes=[f"{given.cases} damaged files, seed {given.seed}; the rest are values of options."],
        versions=("torch", "transformers"),
    )
    return 1 if bad else 0


BAD = {"silent pass", "hang", "traceback", "INTERNALERROR"}


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    if place.exists():
        raise SystemExit(f"{place} cannot be removed")


if __name__ == "__main__":
    raise SystemExit(main())
