"""Who may see and change: a token where others can reach the page, else only pages of this machine itself."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from edgekit.camera.serving.address import Address
from edgekit.errors import CameraError

VARIABLE = "EDGEKIT_CAMERA_TOKEN"
_FIT = re.compile(r"[A-Za-z0-9_-]{16,256}")


@dataclass(frozen=True, slots=True)
class Token:
    value: str
    shown: str
    """As it may stand in output, which is kept in logs: of the environment's only the name."""


def token_for(address: Address) -> Token | None:
    """The token that is asked for: the environment's, else a new one, else None where only this machine is served.

    CameraError where the environment's is easily guessed or cannot stand in a URL.
    """
    given = os.environ.get(VARIABLE)
    if given is None:
        if address.local:
            return None
        made = secrets.token_urlsafe(32)
        return Token(made, made)
    if not _FIT.fullmatch(given):
        raise CameraError(
            f"{VARIABLE}: a token is 16 to 256 letters, digits, - and _; unset it to have one made"
        )
    return Token(given, f"${VARIABLE}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Judges requests by their headers and what stands behind the question mark."""

    token: str | None
    cookie: str
    """Its name: cookies are a host's, not a port's, so that it holds the port."""

    def refusal(self, method: str, headers: Message, query: Mapping[str, list[str]]) -> HTTPStatus | None:
        """Why the request is not answered; None where it is."""
        host = headers.get("Host", "")
        if self.token is not None and not self._has_token(self.token, headers, query):
            return HTTPStatus.UNAUTHORIZED
        # another name that leads here is how a foreign page would get in (DNS rebinding)
        if self.token is None and not _is_own_name(host):
            return HTTPStatus.MISDIRECTED_REQUEST
        # browsers say where a POST comes from; programs that do not are no other site's page
        origin = headers.get("Origin")
        if method == "POST" and origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return HTTPStatus.FORBIDDEN
        return None

    def set_cookie(self) -> str | None:
        """The header's value that lets the page's own requests in."""
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict" if self.token else None

    def _has_token(self, token: str, headers: Message, query: Mapping[str, list[str]]) -> bool:
        scheme, _, credentials = headers.get("Authorization", "").partition(" ")
        given = [*query.get("token", []), *([credentials] if scheme.lower() == "bearer" else [])]
        # by hand: a cookie that another program of this host has set, and that Python cannot read, hides the rest from it
        cookies = [one.strip().partition("=") for one in headers.get("Cookie", "").split(";")]
        given += [value for name, _, value in cookies if name == self.cookie]
        return any(secrets.compare_digest(one.encode(), token.encode()) for one in given)


def _is_own_name(host: str) -> bool:
    """Whether a Host header, with or without a port, is a name that only this machine has."""
    try:
        name = urlsplit(f"//{host}").hostname
        return name == "localhost" or ip_address(name or "").is_loopback
    except ValueError:
        return False
