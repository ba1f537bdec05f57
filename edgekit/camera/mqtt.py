"""Messages to an MQTT broker, each until the broker has acknowledged it (QoS 1), by the package paho-mqtt."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from edgekit.camera.addresses import read_address
from edgekit.camera.outbox import LONGEST_PAUSE_S, RefusedError, UnreachableError
from edgekit.errors import CameraError
from edgekit.host.extras import how_to_install

if TYPE_CHECKING:
    from paho.mqtt.client import Client

TIMEOUT_S = 10.0
"""Longest wait for the broker's answer."""
_KEEPALIVE_S = 20
"""A connection that carries nothing is asked for a sign of life so often."""
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_QOS = 1


class Mqtt:
    """``mqtt[s]://[user[:password]@]host[:port]/topic``.

    The package connects again by itself and then sends again what has not been acknowledged: a message may come twice.
    """

    window = 20
    """As many as brokers take without an acknowledgement by custom."""

    def __init__(self, url: str) -> None:
        """CameraError where that is no such address, or the package is not installed."""
        self._to = read_address(url, _PORTS, example="mqtt://host/topic")
        self._topic = unquote(self._to.path[1:])
        self.name = f"{self._to.scheme}://{self._to.host}:{self._to.port}/{self._topic}"
        if not self._topic or set("+#\0") & set(self._topic):
            raise CameraError(f"{self.name}: a topic to publish to is not empty and has no + or # in it")
        if line := how_to_install("paho", extra="mqtt", requirement="paho-mqtt>=2.1"):
            raise CameraError(f"MQTT needs the package paho-mqtt; {line}")
        self._client: Client | None = None
        self._changed = threading.Condition()
        self._connected = False
        self._refusal: str | None = None
        self._sending: Sequence[str] = ()
        self._asked: set[int] = set()
        """Numbers of the messages under way."""
        self._acknowledged: set[int] = set()

    def open(self, last_will: str) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._client = client = Client(CallbackAPIVersion.VERSION2)
        client.connect_timeout = TIMEOUT_S
        client.reconnect_delay_set(1, round(LONGEST_PAUSE_S))
        client.will_set(self._topic, last_will, _QOS)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        if self._to.user is not None:
            client.username_pw_set(self._to.user, self._to.password)
        try:
            if self._to.scheme == "mqtts":
                client.tls_set()
            client.connect(self._to.host, self._to.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise UnreachableError(
                f"cannot be reached: {getattr(error, 'strerror', None) or error}"
            ) from None
        client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._refusal, TIMEOUT_S)
        if self._refusal:
            raise RefusedError(f"the broker refuses: {self._refusal}")
        if not self._connected:
            raise UnreachableError(
                "cannot be reached: something listens there, but does not answer as a broker"
            )

    def send(self, texts: Sequence[str]) -> None:
        assert self._client
        # what was given to the package once, it sends again by itself
        if texts is not self._sending:
            self._sending = texts
            self._asked = {self._client.publish(self._topic, text, _QOS).mid for text in texts}
        ends_s = time.monotonic() + TIMEOUT_S
        with self._changed:
            while not self._asked <= self._acknowledged and self._connected and time.monotonic() < ends_s:
                self._changed.wait(ends_s - time.monotonic())
            if not self._asked <= self._acknowledged:
                raise UnreachableError(
                    "acknowledges nothing" if self._connected else "the connection is broken"
                )
            self._acknowledged -= self._asked

    def close(self) -> None:
        if self._client:
            self._client.disconnect()
            self._client.loop_stop()

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: Any, *_: object) -> None:
        with self._changed:
            self._connected = not reason.is_failure
            self._refusal = str(reason) if reason.is_failure else None
            self._changed.notify_all()

    def _on_disconnect(self, *_: object) -> None:
        with self._changed:
            self._connected = False
            self._changed.notify_all()

    def _on_publish(self, _client: object, _data: object, mid: int, *_: object) -> None:
        with self._changed:
            self._acknowledged.add(mid)
            self._changed.notify_all()
