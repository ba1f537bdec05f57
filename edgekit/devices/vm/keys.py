"""The keys of a virtual board: made once with it, good for nothing else."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

from edgekit.devices.debian import run

_KIND = b"ssh-ed25519"
_MAGIC = b"openssh-key-v1\0"
_KEY_BYTES = 64
"""Seed and public half of ed25519."""


def make_key(path: Path) -> str:
    """A new key pair without a passphrase at ``path``; the public half as known_hosts and authorized_keys have it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "edgekit-vm", "-f", str(path)]
    run(command, "no key can be made for the virtual board")
    return " ".join(path.with_name(f"{path.name}.pub").read_text().split()[:2])


def dropbear_key(path: Path) -> bytes:
    """The private key at ``path`` in the form of the ssh server dropbear: kind, then seed and public half."""
    lines = path.read_text().splitlines()
    content = base64.b64decode("".join(line for line in lines if not line.startswith("-")))
    # the private half: check numbers, kind, public key, then what dropbear wants (OpenSSH, PROTOCOL.key)
    private = _strings(content.removeprefix(_MAGIC), 3, skipped=4)[-1]
    *_, secret = _strings(private[8:], 3)
    if len(secret) != _KEY_BYTES:
        raise ValueError(f"{path}: not an ed25519 key")
    return _string(_KIND) + _string(secret)


def _strings(content: bytes, count: int, *, skipped: int = 0) -> list[bytes]:
    """The first ``count`` strings with their length before them; KDF and key count come in between."""
    found = []
    for _ in range(count):
        (size,) = struct.unpack_from(">I", content)
        found.append(content[4 : 4 + size])
        content = content[4 + size :]
    if not skipped:
        return found
    # then the number of keys, the public key, and the private ones
    content = content[skipped:]
    return [*found, *_strings(content, 2)]


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content
