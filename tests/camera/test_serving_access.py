"""Who is let in: addresses, tokens, other sites' pages, and requests that are too large."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.camera.serving import read_address
from edgekit.camera.serving.access import VARIABLE, Token, token_for
from edgekit.errors import CameraError
from tests.camera.serving import PATIENCE_S, Served, served

SYNTHETIC = "synthetic:64x64@20"
PATHS = ("/", "/facts", "/frame.jpg", "/stream.mjpg", "/metrics", "/scene", "/none", "/scene/check")
FIT = "0123456789abcdef-_"


@pytest.mark.parametrize(
    ("written", "ip", "port", "local"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("localhost:0", "127.0.0.1", 0, True),
        ("127.0.0.2:1", "127.0.0.2", 1, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),  # noqa: S104
        ("[::]:8080", "::", 8080, False),
        ("203.0.113.7:80", "203.0.113.7", 80, False),
    ],
)
def test_addresses(written: str, ip: str, port: int, local: bool) -> None:
    address = read_address(written)
    assert (address.ip, address.port, address.local) == (ip, port, local)


@pytest.mark.parametrize(
    "written", ["", "http", "65536", "-1", ":80", "::1", "::1:80", "host:", "a:b:80", "٣"]
)
def test_what_is_no_address_is_said(written: str) -> None:
    with pytest.raises(CameraError, match=re.escape(f"--serve {written}: is no [HOST:]PORT")):
        read_address(written)


def test_an_unknown_host_is_said() -> None:
    with pytest.raises(CameraError, match=r"--serve no\.invalid:80: host no\.invalid is not known"):
        read_address("no.invalid:80")


def test_an_address_of_another_machine_is_said(classifier: Path) -> None:
    with (
        pytest.raises(CameraError, match="this machine does not have that address"),
        served(classifier, SYNTHETIC, serve="203.0.113.7:0"),
    ):
        pass


def test_tokens_are_made_where_others_reach_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert token_for(read_address("8080")) is None
    made = {token_for(read_address("0.0.0.0:8080")) for _ in range(2)}
    assert len(made) == 2
    assert all(token and len(token.value) >= 43 and token.shown == token.value for token in made), "256 bits"
    monkeypatch.setenv(VARIABLE, FIT)
    # what somebody keeps out of a command's words is not for the logs either
    assert (
        token_for(read_address("0.0.0.0:8080"))
        == token_for(read_address("8080"))
        == Token(FIT, f"${VARIABLE}")
    )


@pytest.mark.parametrize("token", ["", "short", "fifteen-letters", "with spaces in it, long", "ü" * 20])
def test_tokens_that_are_guessed_easily_are_refused(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv(VARIABLE, token)
    with pytest.raises(CameraError, match=f"{VARIABLE}: a token is 16 to 256 letters"):
        token_for(read_address("8080"))


def test_without_the_token_there_is_nothing(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with served(classifier, SYNTHETIC, serve="0.0.0.0:0") as site:
        token = site.url.partition("?token=")[2]
        wrong: list[dict[str, str]] = [
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {token}"},
            {"Cookie": f"edgekit_camera_{site.port}=wrong"},
            {"Cookie": f"edgekit_camera_1={token}"},
            {"Cookie": "="},
        ]
        for path in PATHS:
            for headers in wrong:
                for query in ("", "?token=", "?token=ü", f"?token={token[:-1]}", f"?tokens={token}"):
                    reply = site.ask(path + query.replace("ü", "%C3%BC"), headers=headers)
                    assert (reply.status, reply.body) == (401, b"")
                    assert "Set-Cookie" not in reply.headers
        assert site.ask("/scene/check", {"scene": {}}).status == 401

        page = site.ask(f"/?token={token}")
        assert page.status == 200
        cookie = page.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        own = {"Cookie": f'other={{"a": 1}}; {cookie.partition(";")[0]}'}
        for headers in (own, {"Authorization": f"Bearer {token}"}):
            statuses = [
                site.ask(path, headers=headers).status for path in ("/", "/facts", "/frame.jpg", "/metrics")
            ]
            assert statuses == [200] * 4
        # the name under which a device is known is not ours to know, and the token is enough
        assert site.ask("/facts", headers={**own, "Host": "camera.local:80"}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "[", "127.0.0.1.nip.io"]
)
def test_names_that_lead_here_from_elsewhere_are_refused(site: Served, host: str) -> None:
    for path in PATHS:
        reply = site.ask(path, headers={"Host": host})
        assert (reply.status, reply.body) == (421, b"")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:80", "[::1]:80", "127.0.0.2"])
def test_names_of_this_machine_are_taken_on_any_port(site: Served, host: str) -> None:
    assert site.ask("/facts", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:8080", 200),
        ("http://localhost", 403),
        ("http://localhost:80", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_other_sites_change_nothing(site: Served, origin: str | None, status: int) -> None:
    headers = {"Host": "localhost:8080", **({} if origin is None else {"Origin": origin})}
    scene = {"lines": [{"name": "door", "points": [[0, 0], [1, 1]]}]}
    assert site.ask("/scene/check", {"scene": scene}, headers).status == status
    # as a proxy that speaks HTTP/2 on its other side passes them on
    small = {name.lower(): value for name, value in headers.items()}
    assert site.ask("/scene/check", {"scene": scene}, small).status == status


def test_other_sites_show_nothing(site: Served) -> None:
    page = site.ask("/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert site.ask("/frame.jpg").headers["Cross-Origin-Resource-Policy"] == "same-origin"
    for name in ("Server", "Access-Control-Allow-Origin"):
        assert name not in page.headers
    assert b"http" not in page.body.replace(b"http://www.w3.org/2000/svg", b""), (
        "one file, nothing from elsewhere"
    )


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"POST /scene/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST /scene/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999999\r\n\r\n", 413),
        (b"POST /scene/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 411),
        (b"POST /scene/check HTTP/1.1\r\nHost: localhost\r\n\r\n", 411),
        (b"POST /scene/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 411),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /?token=%ff&after=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"PUT /scene HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_requests_that_are_wrong_or_too_large(
    site: Served, capfd: pytest.CaptureFixture[str], request_head: bytes, status: int
) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE_S) as connection:
        connection.sendall(request_head)
        answer = connection.recv(4096)
    # what names no version is taken for HTTP 0.9, whose answers have no status
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()) or (status == 400 and answer == b"")
    assert site.ask("/facts").status == 200
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def site(classifier: Path) -> Iterator[Served]:
    with served(classifier, SYNTHETIC) as opened:
        yield opened
