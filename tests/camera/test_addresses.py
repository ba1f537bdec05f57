"""Addresses are read as they are meant, and never shown with a password."""

from __future__ import annotations

import pytest

from edgekit.camera.addresses import read_address, shown
from edgekit.camera.mqtt import Mqtt
from edgekit.camera.webhook import Webhook
from edgekit.errors import CameraError

PORTS = {"mqtt": 1883, "mqtts": 8883}


def test_its_parts() -> None:
    found = read_address("mqtt://me:p%40ss@Broker.local/a/b?c=1", PORTS, example="")
    assert (found.host, found.port, found.path) == ("broker.local", 1883, "/a/b?c=1")
    assert (found.user, found.password) == ("me", "p@ss")
    assert "p@ss" not in repr(found)
    plain = read_address("mqtts://[::1]:9000", PORTS, example="")
    assert (plain.host, plain.port, plain.path, plain.user) == ("::1", 9000, "/", None)


@pytest.mark.parametrize(
    "url",
    [
        "host/topic",
        "me:secret@host/topic",
        "http://me:secret@host/topic",
        "mqtt://me:secret@host:none/topic",
        "mqtt://me:secret@host:99999/topic",
        "mqtt://me:secret/slash@host/topic",
        "mqtt://me:secret@/topic",
        "mqtt://me:secret@[::1/topic",
        "",
    ],
)
def test_what_is_none_is_said_without_the_password(url: str) -> None:
    with pytest.raises(
        CameraError, match="no address that can be sent to; write mqtt://host/topic"
    ) as caught:
        read_address(url, PORTS, example="mqtt://host/topic")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("rtsp://u:p@cam.local:554/a@b", "rtsp://cam.local:554/a@b"),
        ("rtsp://u:p/q@cam.local/a", "rtsp://cam.local"),
        ("u:p@cam", "cam"),
        ("clip.mp4", "clip.mp4"),
    ],
)
def test_what_is_shown(url: str, seen: str) -> None:
    shown_url = shown(url)
    assert shown_url.startswith(seen)
    assert "u:p" not in shown_url


@pytest.mark.parametrize("topic", ["", "/", "/a/+", "/a/%23"])
def test_a_topic_is_one_that_can_be_published_to(topic: str) -> None:
    with pytest.raises(CameraError, match="a topic to publish to"):
        Mqtt(f"mqtt://me:secret@host{topic}")


def test_names_have_nothing_secret() -> None:
    assert Mqtt("mqtt://me:secret@host/a/b").name == "mqtt://host:1883/a/b"
    assert Webhook("https://me:secret@host/services/T0/B0/secret?token=secret").name == "https://host:443"
