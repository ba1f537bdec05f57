"""Where the page is served: what the user wrote, resolved, and whether others than this machine can reach it."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from edgekit.errors import CameraError

_WRITTEN = re.compile(r"(?:(?P<host>[^:\[\]]+|\[[^\[\]]+\]):)?(?P<port>[0-9]{1,5})")
_DOCUMENTATION = ("198.51.100.1", 9)
"""No machine has this address (RFC 5737)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What is bound to: an IP address and a port, 0 for any that is free."""

    family: socket.AddressFamily
    ip: str
    port: int

    @property
    def local(self) -> bool:
        """Whether only programs of this machine reach it."""
        return ipaddress.ip_address(self.ip).is_loopback

    def reached_at(self) -> str:
        """The host to write in a URL: where every address of this machine is bound to, the one it sends from."""
        ip = ipaddress.ip_address(self.ip)
        if ip.is_unspecified:
            return _own_ip() or socket.gethostname()
        return f"[{ip}]" if ip.version == 6 else str(ip)


def read_address(written: str) -> Address:
    """``[HOST:]PORT``, without a host 127.0.0.1; CameraError where it is none, or the host is not known."""
    match = _WRITTEN.fullmatch(written)
    if match is None or int(match["port"]) > 65535:
        raise CameraError(f"--serve {written}: is no [HOST:]PORT, such as 8080, 0.0.0.0:8080 or [::1]:8080")
    host, port = (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CameraError(f"--serve {written}: host {host} is not known: {error.strerror}") from None
    # localhost is both 127.0.0.1 and ::1 on many machines; browsers try either
    family, *_, bound = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return Address(family=family, ip=str(bound[0]), port=port)


def _own_ip() -> str | None:
    """The address that this machine sends from; connecting a datagram socket chooses it and sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_DOCUMENTATION)
        except OSError:
            return None
        return str(probe.getsockname()[0])
