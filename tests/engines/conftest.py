"""What the tests of engines share."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.fixture(autouse=True)
def closed_clients(request, monkeypatch):
    """Close the connections to servers that a test opened, as a run closes its engines."""
    # The contract's tests share one engine.
    if find_spec("openai") is None or "case" in request.fixturenames:
        yield
        return
    from rootfruit_checks.engines.served import client

    opened, begin = [], client.Client.__init__

    def noted(self, *args, **options):
        begin(self, *args, **options)
        opened.append(self)

    monkeypatch.setattr(client.Client, "__init__", noted)
    yield
    for one in opened:
        if not one._loop.is_closed():
            one.close()
