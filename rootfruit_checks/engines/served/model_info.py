"""What a server reports about itself and a model: the only identity of weights that cannot be hashed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from rootfruit_checks.base.errors import EngineError
from rootfruit_checks.engines.served.caller import Caller, RefusedError

# Fields that identify the weights. Start times and random ids are left out; llama.cpp reports sizes in `meta`.
_IDENTITY = ("root", "parent", "max_model_len", "owned_by", "meta")


class Listing:
    """One model in a server's list, fetched when first needed.

    Args:
        caller: the server.
        wanted: the model's name there; "" if the server has exactly one.

    """

    def __init__(self, caller: Caller, wanted: str) -> None:
        self._caller = caller
        self._wanted = wanted

    @cached_property
    def entry(self) -> Mapping[str, Any]:
        """The model's entry.

        Raises:
            EngineError: there is no such model, or there are several and none was named.

        """
        address, quote = self._caller.address, self._caller.secret.quote
        try:
            told = self._caller.models()
        except RefusedError as error:
            if error.status != 404:
                raise
            told = None
        listed = told.get("data") if isinstance(told, dict) else None
        if not isinstance(listed, list):
            raise EngineError(f"{address}: lists no models; check that this is the API's address (does it end in /v1?)")
        entries = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        for entry in entries:
            if entry["id"] == self._wanted or (not self._wanted and len(entries) == 1):
                return entry
        names = ", ".join(quote(entry["id"]) for entry in entries[:5]) or "nothing"
        if self._wanted:
            raise EngineError(f"{address}: has no model {quote(self._wanted)!r}; it serves {names}")
        raise EngineError(f"{address}: serves {names}; name one of them: {address}#NAME")

    @property
    def model(self) -> str:
        """The model's name on the server."""
        return str(self.entry["id"])

    @cached_property
    def version(self) -> str:
        """The server's version, or "" if it does not report one."""
        return self._caller.version()

    @property
    def longest(self) -> int | None:
        """The maximum number of tokens, if the server reports it."""
        told = self.entry.get("max_model_len")
        return told if isinstance(told, int) and not isinstance(told, bool) and 0 < told < 2**31 else None

    @cached_property
    def identity(self) -> str:
        """Identifies the weights: address, root (else name) and sizes; two names of one root are the same."""
        entry = {key: self.entry.get(key) for key in _IDENTITY}
        entry["root"] = entry["root"] or self.model
        return json.dumps([self._caller.address, entry, self.version], sort_keys=True)

    @property
    def record(self) -> dict[str, str]:
        """The same in readable form."""
        quote = self._caller.secret.quote
        told = {
            "engine": "a server, by the openai client",
            "endpoint": self._caller.address,
            "served model": quote(self.model),
            "server version": self.version or "not told",
            "weights": "not hashed: a server does not show them",
            "caution": "a served model: its weights are not hashed, and what runs is what the server says",
            "dtype": "chosen by the server; --rootfruit-dtype sets only the width of a tie",
        }
        for key in ("root", "parent", "max_model_len", "owned_by"):
            if self.entry.get(key) is not None:
                told[f"served {key}"] = quote(str(self.entry[key]))
        return told
