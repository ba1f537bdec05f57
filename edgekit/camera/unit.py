"""The text of a systemd unit that keeps a camera running, with as few rights as it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What differs from one service to the next."""

    name: str
    about: str
    command: tuple[str, ...]
    """Program and arguments, as they are; paths absolute."""
    user: str | None
    """None: one that systemd makes for as long as the service runs."""
    environment: str | None
    """A file of variables that only root may read."""
    camera: bool
    """Whether it opens a device of Video4Linux."""
    network: bool
    """Whether it needs the network to begin."""
    memory_max_bytes: int
    memory_why: str
    start_s: int
    """Longest time until the first frame."""
    watchdog_s: int
    """Longest time without a frame."""

    def text(self) -> str:
        """The file's content."""
        return "\n".join([*self._head(), "", *self._service(), "", *_TAIL, ""])

    def _head(self) -> list[str]:
        online = ["Wants=network-online.target", "After=network-online.target"] if self.network else []
        # it is tried again for ever: a camera that is plugged in again next week is wanted
        return ["[Unit]", f"Description={_text(self.about)}", *online, "StartLimitIntervalSec=0"]

    def _service(self) -> list[str]:
        environment = [f"EnvironmentFile={_text(self.environment)}"] if self.environment else []
        devices = (
            ["DevicePolicy=closed", "DeviceAllow=char-video4linux rw", "SupplementaryGroups=video"]
            if self.camera
            else ["PrivateDevices=yes"]
        )
        return [
            "[Service]",
            "# ready with the first frame; without one for so long it is ended and started again",
            "Type=notify",
            "NotifyAccess=main",
            f"TimeoutStartSec={self.start_s}",
            f"WatchdogSec={self.watchdog_s}",
            "TimeoutStopSec=30",
            f"ExecStart={command_line(self.command)}",
            *environment,
            "Environment=PYTHONUNBUFFERED=1",
            f"Environment=HOME=%S/{self.name}",
            "",
            "# pauses from 2 s to 2 minutes; systemd before 254 knows only the first and says so in its log",
            "Restart=on-failure",
            "RestartSec=2",
            "RestartSteps=6",
            "RestartMaxDelaySec=120",
            "",
            f"# {_line(self.memory_why)}",
            f"MemoryMax={self.memory_max_bytes}",
            "",
            "# the files that it writes are in /var/lib",
            f"StateDirectory={self.name}",
            f"WorkingDirectory=%S/{self.name}",
            "UMask=0027",
            "",
            f"User={self.user}" if self.user else "DynamicUser=yes",
            *devices,
            *_HARDENING,
        ]


_HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "CapabilityBoundingSet=",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RemoveIPC=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "# no MemoryDenyWriteExecute: runtimes write machine code while they run",
)
_TAIL = ("[Install]", "WantedBy=multi-user.target")


def command_line(words: Sequence[str]) -> str:
    """As ExecStart takes it (systemd.service(5)): quoted, % and $ doubled; options each on a line."""
    program, *arguments = words
    # variables are not looked for in the program
    line = _word(program.replace("%", "%%"))
    for word in arguments:
        space = " \\\n  " if word.startswith("--") else " "
        line += space + _word(word.replace("%", "%%").replace("$", "$$"))
    return line


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return '"' + "".join(_ESCAPES.get(sign, sign) for sign in text) + '"'


def _text(text: str) -> str:
    """A value that is not quoted."""
    return _line(text.replace("%", "%%"))


def _line(text: str) -> str:
    """On one line, and not going on on the next."""
    return " ".join(text.split()).rstrip("\\ ")


def variables(values: Mapping[str, str]) -> str:
    """An EnvironmentFile's content (systemd.exec(5))."""
    return "".join(f'{name}="{_SPECIAL.sub(_ESCAPED, value)}"\n' for name, value in values.items())


_SPECIAL, _ESCAPED = re.compile(r'[\\"`$]'), r"\\\g<0>"
