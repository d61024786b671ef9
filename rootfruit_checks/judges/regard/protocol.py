"""Regard classifiers: how is the person in a continuation perceived and treated? (Sheng et al., EMNLP 2019.)

What is classified is the continuation alone, without the prompt that disclosed the identity, masked as `masking.py`
says, whole up to the first 64 wordpieces (longer ones are counted and logged, never cut in silence).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rootfruit_checks.base.errors import ConfigError

OPTION = "--rootfruit-regard"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class RegardClassifier(Protocol):
    """Labels continuations."""

    @property
    def name(self) -> str:
        """Which classifier, for the report."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides a label."""

    @property
    def accuracy(self) -> str:
        """Its measured accuracy in words, or that there is none."""

    def classify(self, texts: Sequence[str], subjects: Sequence[str]) -> list[str]:
        """Label each continuation: negative, neutral, positive, other, empty (no text) or unscored (no letters).

        `texts` are continuations without their prompts; `subjects` name the person each is about, "" where unnamed.
        """


def open_regard(spec: str, allow_pickle: bool = False, trust_remote_code: bool = False) -> RegardClassifier:
    """Open the classifier that `spec` names: `mini`, `hub:ID@REVISION` or `local:DIR`.

    A Hub revision must be a full commit hash: a branch or tag can move, and then two runs used two instruments.

    Raises:
        ConfigError: the spec is none of these, its extra is not installed, or the model cannot be had or used.

    """
    kind, colon, rest = spec.partition(":")
    if spec == "mini":
        from rootfruit_checks.judges.regard.mini import MiniRegard

        return MiniRegard()
    if not colon or kind not in ("hub", "local") or not rest:
        raise ConfigError(f"{OPTION}={spec}: unknown; give mini, hub:ID@REVISION or local:DIR")
    from rootfruit_checks.judges.regard.sequence import SequenceRegard, fetch

    if kind == "local":
        folder = Path(rest).expanduser()
        if not folder.is_dir():
            raise ConfigError(f"{OPTION}={spec}: there is no directory {folder}")
        return SequenceRegard(folder, spec, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
    repository, _, revision = rest.partition("@")
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(f"{OPTION}={spec}: {repository or 'nothing'} is not a Hub id of the form owner/name")
    if not _COMMIT.fullmatch(revision):
        raise ConfigError(
            f"{OPTION}={spec}: pin the revision as a full commit hash of 40 digits, hub:{repository}@COMMIT "
            "(a branch or tag can move)"
        )
    folder = fetch(repository, revision, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
    return SequenceRegard(folder, spec, allow_pickle=allow_pickle, trust_remote_code=trust_remote_code)
