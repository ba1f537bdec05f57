"""The address of a board: ``ssh://user@host:port?python=/path/to/python3``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from edgekit.errors import DeviceError

SCHEME = "ssh://"
_EXAMPLE = "write it as ssh://user@host, ssh://host:2222, or ssh://board for a Host of ~/.ssh/config"
# what ssh itself takes for a name; nothing may begin with a dash, which would be read as an option
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IPV6 = re.compile(r"\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAddress:
    """Who and where; what is None is left to ``~/.ssh/config``."""

    host: str
    user: str | None = None
    port: int | None = None
    python: str | None = None
    """The interpreter to use on the board; else the first ``python3`` that is new enough."""

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Read ``ssh://…``; DeviceError says what is wrong in it."""
        place, given = split_options(spec, ("python",))
        user, _, rest = place.removeprefix(SCHEME).rstrip("/").rpartition("@")
        host, port = _host_and_port(rest, spec)
        if user and not _USER.fullmatch(user):
            raise DeviceError(f"'{spec}': '{user}' is no user name; {_EXAMPLE}")
        return cls(host=host, user=user or None, port=port, python=given.get("python"))

    @property
    def destination(self) -> str:
        """As ``ssh`` takes it."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def command(self) -> str:
        """What the user would type to get there."""
        return f"ssh{f' -p {self.port}' if self.port else ''} {self.destination}"


def split_options(spec: str, known: tuple[str, ...]) -> tuple[str, Mapping[str, str]]:
    """``place?key=value&key=value`` as the place and the options; DeviceError where a key is not ``known``."""
    place, _, query = spec.partition("?")
    given: dict[str, str] = {}
    for part in query.split("&") if query else ():
        key, equals, value = part.partition("=")
        if key not in known or not equals or not value:
            raise DeviceError(
                f"'{spec}': '{part}' is no option of this device; it takes {', '.join(known)}=…"
            )
        given[key] = unquote(value)
    return place, given


def _host_and_port(text: str, spec: str) -> tuple[str, int | None]:
    bracketed = _IPV6.match(text)
    host, port = (
        (bracketed[1], text[bracketed.end() :].removeprefix(":"))
        if bracketed
        else (text.partition(":")[0], text.partition(":")[2])
    )
    if not bracketed and not _HOST.fullmatch(host):
        raise DeviceError(f"'{spec}': '{host}' is no host name; {_EXAMPLE}")
    if not port:
        return host, None
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise DeviceError(f"'{spec}': '{port}' is no port; {_EXAMPLE}")
    return host, int(port)
