"""A headless Chromium that a test drives as a person would: it looks, clicks, taps and types."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
# no host name resolves but those of the page itself
_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0", "about:blank",
]  # fmt: skip
_PATIENCE_S = 30.0
"""Of a machine that is busy with other tests."""


class Tab:
    """One page of the browser, by the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._count = 0
        self.complaints: list[str] = []
        """What the page's scripts threw, and what the browser refused."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=_PATIENCE_S))
            self._listen(message)
            if message.get("id") == self._count:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result

    def _listen(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            case "Log.entryAdded" if message["params"]["entry"]["level"] == "error":
                self.complaints.append(str(message["params"]["entry"]))

    def open(self, url: str, *, size: tuple[int, int], dark: bool = False, phone: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The expression's value as soon as it is true."""
        until_s = time.monotonic() + _PATIENCE_S
        while not (value := self.evaluate(f"(() => {{ try {{ return {script} }} catch {{}} }})()")):
            assert time.monotonic() < until_s, f"never true: {script}; {self.complaints}"
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of an element, which is scrolled to."""
        self.wait_for(f"document.querySelector('{selector}').checkVisibility()")
        self.click_at(selector, 0.5, 0.5)

    def click_at(self, selector: str, x: float, y: float) -> None:
        """At shares of an element's width and height."""
        at = self._spot(selector, x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def tap_at(self, selector: str, x: float, y: float) -> None:
        """With a finger."""
        at = self._spot(selector, x, y)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[at])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def write(self, selector: str, text: str) -> None:
        """In place of what a field holds."""
        self.evaluate(f"document.querySelector('{selector}').focus()")
        self.evaluate(f"document.querySelector('{selector}').select()")
        self.call("Input.insertText", text=text)

    def _spot(self, selector: str, x: float, y: float) -> dict[str, float]:
        box: list[float] = self.evaluate(
            f"(() => {{ const it = document.querySelector('{selector}'); it.scrollIntoView({{block: 'nearest'}}); "
            "const box = it.getBoundingClientRect(); return [box.left, box.top, box.width, box.height] })()"
        )
        return {"x": box[0] + x * box[2], "y": box[1] + y * box[3]}

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """``whole``: what has to be scrolled to, too."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def opened_browser(folder: Path) -> Iterator[Tab]:
    """``folder``: of this browser alone."""
    command = [str(CHROMIUM), *_FLAGS, f"--user-data-dir={folder}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_debugger(folder), max_size=None) as connection:
                yield Tab(connection)
        finally:
            process.terminate()


def _debugger(folder: Path) -> str:
    """The address of the first tab, as soon as the browser tells it."""
    told = folder / "DevToolsActivePort"
    until_s = time.monotonic() + _PATIENCE_S
    while not (told.exists() and told.read_text().count("\n")):
        assert time.monotonic() < until_s, "Chromium does not start"
        time.sleep(0.05)
    port = told.read_text().split("\n")[0]
    with urlopen(f"http://127.0.0.1:{port}/json/list") as reply:
        targets = json.load(reply)
    return str(next(target for target in targets if target["type"] == "page")["webSocketDebuggerUrl"])
