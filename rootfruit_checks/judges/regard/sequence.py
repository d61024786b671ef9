"""Regard by any transformers sequence classifier, from the Hub or a directory; labels come from its own config."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rootfruit_checks.base import untrusted
from rootfruit_checks.base.digests import folder_digest
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.judges.regard.masking import MASKING_VERSION, label_each
from rootfruit_checks.judges.regard.mini import INSTALL, MAX_WORDPIECES, quiet, say_cut, tokenize

_LABELS = {
    "negative": "negative", "neg": "negative",
    "neutral": "neutral", "neu": "neutral", "no impact": "neutral",
    "positive": "positive", "pos": "positive",
    "other": "other", "mixed": "other",
}  # fmt: skip
_TEXT_FILES = ["*.json", "*.txt", "*.model"]
_PICKLED = ["*.bin", "*.pt", "*.pth"]
_BATCH = 32


def fetch(repository: str, revision: str, *, allow_pickle: bool, trust_remote_code: bool) -> Path:
    """Return the folder of a pinned snapshot from the Hub, downloading what is not in the cache.

    Raises:
        ConfigError: huggingface_hub is missing, or gave no such snapshot.

    """
    _need("huggingface_hub")
    from huggingface_hub import snapshot_download

    wanted = [*_TEXT_FILES, "*.safetensors"]
    wanted += ["pytorch_model*.bin"] if allow_pickle else []
    wanted += ["*.py"] if trust_remote_code else []
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=wanted))
    except Exception as error:
        # huggingface_hub raises a dozen types for "not there" and "not reachable"; to the user they are one.
        raise ConfigError(
            f"--rootfruit-regard=hub:{repository}@{revision}: neither in the cache nor to be had from the Hub "
            f"({type(error).__name__}); check id, revision and network, or download it and give local:DIR"
        ) from error


def labels_of(config: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Return what each output of the model means, in order of its index, read from `id2label`.

    Raises:
        ConfigError: there is no `id2label`, a label cannot be mapped, or two are the same, or a needed one is missing.

    """
    id2label = config.get("id2label")
    if not isinstance(id2label, dict) or not id2label:
        raise ConfigError(f"{where}: config.json has no id2label, so what its outputs mean is unknown; add it")
    try:
        named = {int(index): str(name) for index, name in id2label.items()}
    except ValueError as error:
        raise ConfigError(f"{where}: the keys of id2label must be whole numbers ({error})") from error
    if sorted(named) != list(range(len(named))):
        raise ConfigError(f"{where}: the keys of id2label must count from 0 without a gap; they are {sorted(named)}")
    labels = []
    for index in range(len(named)):
        label = _LABELS.get(named[index].strip().lower())
        if label is None:
            raise ConfigError(
                f"{where}: label {named[index]!r} (id2label {index}) is none of {', '.join(_LABELS)}; "
                "write what it means into id2label"
            )
        labels.append(label)
    if len(set(labels)) != len(labels) or not {"negative", "neutral", "positive"} <= set(labels):
        raise ConfigError(f"{where}: id2label must name negative, neutral and positive once each; it names {labels}")
    return tuple(labels)


class SequenceRegard:
    """A sequence classifier in a directory. Reads the first `MAX_WORDPIECES` wordpieces of a continuation."""

    def __init__(self, folder: Path, spec: str, *, allow_pickle: bool = False, trust_remote_code: bool = False) -> None:
        for module in ("torch", "transformers"):
            _need(module)
        where = f"--rootfruit-regard={spec}"
        from rootfruit_checks.engines import model_files
        from rootfruit_checks.engines.config_schema import ClassifierConfig

        if not untrusted.is_directory(folder):
            raise ConfigError(f"{where}: no such directory")
        config = model_files.read(folder, "config.json", ClassifierConfig, ConfigError)
        model_files.check_files(folder, ConfigError)
        self.labels = labels_of(config, where)
        self._safe = any(folder.glob("*.safetensors"))
        if not self._safe:
            if not any(path for pattern in _PICKLED for path in folder.glob(pattern)):
                raise ConfigError(f"{where}: no model.safetensors in {folder}")
            if not allow_pickle:
                raise ConfigError(
                    f"{where}: holds pickled weights only, and unpickling runs code; convert it to safetensors, or "
                    "trust it with --rootfruit-allow-pickle"
                )
        self.name = f"{spec} (reads the first {MAX_WORDPIECES} wordpieces)"
        self.accuracy = "not measured by rootfruit; see the model's card, and label some of your own continuations"
        self.cut = 0
        self._folder = folder
        self._where = where
        self._trust = trust_remote_code
        self._loaded: tuple[Any, Any] | None = None
        weights = ["*.safetensors"] if self._safe else _PICKLED
        files = folder_digest(folder, [*weights, *_TEXT_FILES, "*.py"])
        self.fingerprint = hashlib.sha256(f"sequence:{files}:{MASKING_VERSION}:{MAX_WORDPIECES}".encode()).hexdigest()

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

            common = {"local_files_only": True, "trust_remote_code": self._trust}
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._folder, **common)
                with quiet():
                    model, report = AutoModelForSequenceClassification.from_pretrained(
                        self._folder,
                        use_safetensors=self._safe,
                        dtype=torch.float32,
                        output_loading_info=True,
                        **common,
                    )
            except Exception as error:
                # Whatever transformers stumbles over, the instrument is unusable, and its words say why.
                raise ConfigError(f"{self._where}: cannot be loaded as a sequence classifier: {error}") from error
            if missing := sorted(report["missing_keys"]):
                # transformers would fill these with noise and go on.
                raise ConfigError(f"{self._where}: weights are missing ({', '.join(missing[:3])}); not a classifier?")
            self._loaded = tokenizer, model.eval()
        return self._loaded

    def classify(self, texts: Sequence[str], subjects: Sequence[str]) -> list[str]:
        """Label the regard of each continuation. Names and identity words are masked, pronouns are left as they are."""
        return label_each(texts, subjects, self._predict, pronouns=False)

    def label_as_is(self, texts: Sequence[str]) -> list[str]:
        """Label texts that nothing is masked in: for the audit alone."""
        return label_each(texts, [""] * len(texts), self._predict, masked=False)

    def _predict(self, masked: Sequence[str]) -> list[str]:
        import torch

        tokenizer, model = self._load()
        answers: list[str] = []
        cut = 0
        for start in range(0, len(masked), _BATCH):
            encoded, over = tokenize(tokenizer, list(masked[start : start + _BATCH]))
            cut += over
            with torch.inference_mode():
                logits = model(**encoded).logits
            answers += [self.labels[index] for index in logits.argmax(dim=1).tolist()]
        self.cut += cut
        say_cut(cut, len(masked))
        return answers


def _need(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"this regard classifier needs {module}, which is not installed: {INSTALL}")
