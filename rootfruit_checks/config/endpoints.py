"""Names of served models: `http://host:port/v1#name`, where `#name` may be left out if the server has one model.

Addresses appear in reports and logs, so they must not contain secrets: no user, no password, no query.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from rootfruit_checks.base.errors import ConfigError

_SCHEMES = ("http://", "https://")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def is_served(name: str) -> bool:
    """Whether a model's name is an address."""
    return name.lower().startswith(_SCHEMES)


def split(where: str, name: str) -> tuple[str, str]:
    """Return the address without its trailing slash, and the model's name there ("" where none is given).

    Raises:
        ConfigError: no host, a broken port, or a user, password or query (the message does not repeat them).

    """
    address, _, model = name.partition("#")
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{where}: is not an address of a server; write http://HOST:PORT/v1#NAME") from None
    if "@" in parts.netloc:
        raise ConfigError(f"{where}: an address must not contain a user or password; put the key in ROOTFRUIT_API_KEY")
    if "?" in address:
        raise ConfigError(
            f"{where}: an address must not contain a query (reports would show it); put a key into the environment "
            "(ROOTFRUIT_API_KEY)"
        )
    if not host or not address.isprintable() or " " in address:
        raise ConfigError(f"{where}: is not an address of a server; write http://HOST:PORT/v1#NAME")
    return address.rstrip("/"), model.strip()


def is_private(address: str) -> bool:
    """Whether a key may be sent there by default: over TLS, or within this machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


def root_of(address: str) -> str:
    """Return the server's root, which has its `/version`."""
    return address.removesuffix("/v1")
