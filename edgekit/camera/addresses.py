"""Addresses of servers, and what of them may be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from edgekit.errors import CameraError


@dataclass(frozen=True, slots=True)
class Address:
    """``scheme://[user[:password]@]host[:port]/path[?query]``, user and password decoded."""

    scheme: str
    host: str
    port: int
    path: str
    """From its first slash on, with the query, as it was written."""
    user: str | None
    password: str | None = field(repr=False)


def read_address(url: str, ports: Mapping[str, int], *, example: str) -> Address:
    """CameraError where the scheme is none of ``ports``, which has their own ports, or there is no host."""
    try:
        parts = urlsplit(url)
        port = parts.port or ports[parts.scheme]
    except (ValueError, KeyError):  # no port, no scheme of these
        port = 0
    if not port or not parts.hostname:
        raise CameraError(
            f"{shown(url)}: no address that can be sent to; write {example} "
            "(with % codes for what is special in a user's name or password)"
        )
    return Address(
        parts.scheme,
        parts.hostname,
        port,
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        parts.username and unquote(parts.username),
        parts.password and unquote(parts.password),
    )


def shown(url: str) -> str:
    """The address without a user's name and password, also where there is no scheme, or a / in the password."""
    scheme, separator, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    port = host.partition(":")[2]
    if "@" in path and "@" not in host and port and not port.isdecimal():
        host, slash, path = path.rpartition("@")[2], "", ""
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
