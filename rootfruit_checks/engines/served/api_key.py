"""The API key of a served model: read only from the environment, and never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.config import endpoints

_SHOWN = "[key]"
# Servers without a key accept any word, and the client requires some key.
_NONE = "none-needed"
# A shorter key may be a word that occurs in a model's text by chance, so it is not hidden there.
_LONG_ENOUGH = 8
_LONGEST_QUOTE = 300


class Secret:
    """A key that never appears in tracebacks, logs or messages.

    Args:
        address: where it will be sent. `OPENAI_API_KEY` is sent only over TLS or within this machine, since whoever set
                it may not have meant this server; `ROOTFRUIT_API_KEY` is sent to any address that the user names.
        environment: where to look; the process's own environment by default.

    Raises:
        EngineError: the key contains characters that no HTTP header allows.

    """

    def __init__(self, address: str, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        names = ["ROOTFRUIT_API_KEY", "OPENAI_API_KEY"][: 2 if endpoints.is_private(address) else 1]
        self.source = next((name for name in names if environment.get(name, "").strip()), "")
        self._value = environment.get(self.source, "").strip()
        if not (self._value.isascii() and self._value.isprintable()):
            raise EngineError(f"{self.source}: contains characters that no key has; set it again")

    def reveal(self) -> str:
        """Return the key. Only the client may call this."""
        return self._value or _NONE

    def hide(self, text: str) -> str:
        """Return a server's text with the key removed, for storage."""
        return text.replace(self._value, _SHOWN) if len(self._value) >= _LONG_ENOUGH else text

    def quote(self, text: str) -> str:
        """Return a server's text for a message: one short printable line with the key removed."""
        text = text.replace(self._value, _SHOWN) if self._value else text
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 3] + "..."

    def __repr__(self) -> str:
        return f"Secret({self.source or 'none'})"
