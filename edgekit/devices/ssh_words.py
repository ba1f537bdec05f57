"""What the OpenSSH client says when it does not get there, as one line with the next step."""

from __future__ import annotations

import re
from collections.abc import Callable

from edgekit.devices.ssh_address import SshAddress

_UNREACHABLE = (
    "could not resolve hostname", "connection refused", "connection timed out", "operation timed out",
    "no route to host", "network is unreachable", "host is down", "connection reset by", "connection closed by",
    "banner exchange", "closed by remote host",
)  # fmt: skip
_LOST = (
    "timeout, server", "broken pipe", "connection reset", "closed by remote host", "connection to", "mux_client",
    "control socket",
)  # fmt: skip


def refusal(words: str, board: SshAddress) -> str:
    """Why there is no connection; ``words`` is the client's stderr."""
    lower = words.lower()
    for marks, explain in _EXPLANATIONS:
        if any(mark in lower for mark in marks):
            return explain(words, board)
    return f"ssh does not get there: {last_line(words) or 'it says nothing'}. Try: {board.command} true"


def last_line(words: str) -> str:
    """The last line that says something: before it may stand a banner."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""


def _line_with(words: str, marks: tuple[str, ...]) -> str:
    for line in words.splitlines():
        if any(mark in line.lower() for mark in marks):
            return re.sub(r"^ssh: ", "", line.strip()).rstrip(".")
    return last_line(words)


def _changed(words: str, board: SshAddress) -> str:
    # by the name that known_hosts has it under, which the user's configuration may have made another
    said = re.search(r"Host key for (\S+) has changed", words)
    place = said[1] if said else board.host
    return (
        "its host key is not the one that known_hosts has: another machine answers there, or the board was set up "
        f"anew. Only if you know why, forget the old key: ssh-keygen -R '{place}'"
    )


def _unknown(words: str, board: SshAddress) -> str:
    return (
        "its host key is unknown here. Connect once by hand, compare the fingerprint with the board's, and accept "
        f"it: {board.command} true"
    )


def _denied(words: str, board: SshAddress) -> str:
    port = f"-p {board.port} " if board.port else ""
    return (
        f"the board refuses the login ({_line_with(words, ('permission denied', 'authentication'))}). edgekit never "
        f"asks for a password; give the board your key: ssh-copy-id {port}{board.destination}"
    )


def _unreachable(words: str, board: SshAddress) -> str:
    return f"cannot be reached: {_line_with(words, _UNREACHABLE)}. Is it on, and the address right?"


def _configuration(words: str, board: SshAddress) -> str:
    return f"ssh's own configuration is wrong: {_line_with(words, ('bad ', 'unprotected', 'config'))}"


_EXPLANATIONS: tuple[tuple[tuple[str, ...], Callable[[str, SshAddress], str]], ...] = (
    (("identification has changed", "host key has just been changed", "offending"), _changed),
    (("host key verification failed", "host key is known"), _unknown),
    (("permission denied", "too many authentication failures"), _denied),
    (("bad owner or permissions", "bad configuration option", "terminating,"), _configuration),
    (_UNREACHABLE, _unreachable),
)
"""The first whose words occur, in this order: a changed key is also one whose verification failed."""
