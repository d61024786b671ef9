"""Opens models and judges: a run uses a `Factory` for all of them, and tests replace it.

In a project, a plugin or conftest.py can return another one from the hook `pytest_rootfruit_factory`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rootfruit_checks.config.settings import Settings
    from rootfruit_checks.engines.base import Engine
    from rootfruit_checks.judges.regard.protocol import RegardClassifier
    from rootfruit_checks.judges.themes.tagger import Tagger


class Factory(Protocol):
    """Opens engines and judges by the names in the settings.

    Attributes:
        named: whether names of models are paths, Hub ids or addresses, so that they can be checked before a run.

    """

    named: bool

    def engine(self, name: str, settings: Settings, option: str = "--model") -> Engine:
        """Return the engine of a model; `option` is what named it, for messages."""

    def base(self, policy: Engine, settings: Settings) -> Engine:
        """Return the engine of the base that an adapter is for."""

    def regard(self, settings: Settings) -> RegardClassifier:
        """Return the regard classifier."""

    def tagger(self, settings: Settings, regard: RegardClassifier | None) -> Tagger | None:
        """Return the tagger of themes, or None if themes are turned off."""


class Models:
    """The factory of a real run."""

    named = True

    def engine(self, name: str, settings: Settings, option: str = "--model") -> Engine:
        """Return the engine of a directory, a Hub id or a served model; raises as `open_engine`."""
        from rootfruit_checks.engines.factory import open_engine

        return open_engine(name, settings, option=option)

    def base(self, policy: Engine, settings: Settings) -> Engine:
        """Return the engine of an adapter's own base; raises as `open_base`."""
        from rootfruit_checks.engines.factory import open_base

        return open_base(policy, settings)

    def regard(self, settings: Settings) -> RegardClassifier:
        """Return the classifier that `--rootfruit-regard` names; raises as `open_regard`."""
        from rootfruit_checks.judges.regard.protocol import open_regard

        return open_regard(settings.regard, settings.allow_pickle, settings.trust_remote_code)

    def tagger(self, settings: Settings, regard: RegardClassifier | None) -> Tagger | None:
        """Return the tagger that `--rootfruit-narratives` names; it shares the classifier's encoder."""
        from rootfruit_checks.judges.themes.tagger import open_tagger

        return open_tagger(settings.narratives, getattr(regard, "encoder", None))
