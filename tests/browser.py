"""A page looked at in a real, headless Chromium, driven over its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
START_SECONDS, ANSWER_SECONDS = 30, 30


@dataclass(frozen=True)
class Page:
    """What a page showed: its visible text, a PNG, every error in its console, every address it asked for."""

    text: str
    screenshot: bytes
    console_errors: list[str]
    requests: list[str]
    results: list[Any] = field(default_factory=list)


def find_browser() -> str:
    """Path of a Chromium; the calling test is skipped where there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")


def open_page(
    url: str,
    *,
    width: int = 1280,
    height: int = 900,
    wait_for: str | None = None,
    run: tuple[str, ...] = (),
    is_dark: bool = False,
    is_whole: bool = False,
    timeout: float = 60,
) -> Page:
    """Open `url`, wait for the CSS selector `wait_for`, evaluate each script of `run`, take a picture.

    `is_whole` pictures the page down to its end instead of the window. Raises TimeoutError when the page or
    the selector does not come within `timeout` seconds.
    """
    with _browser(width, height) as connection:
        tab = _Tab(connection)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        tab.call("Emulation.setEmulatedMedia", features=[scheme])
        tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        tab.call("Page.navigate", url=url)
        tab.wait_until("document.readyState === 'complete'", timeout)
        if wait_for:
            tab.wait_until(f"document.querySelector({json.dumps(wait_for)}) !== null", timeout)
        results = [tab.evaluate(script) for script in run]
        picture = tab.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=is_whole, **_clip(tab, is_whole)
        )
        text = tab.evaluate("document.body.innerText")
        return Page(text, base64.b64decode(picture["data"]), tab.errors, tab.requests, results)


def _clip(tab: "_Tab", is_whole: bool) -> dict[str, Any]:
    if not is_whole:
        return {}
    size = tab.call("Page.getLayoutMetrics")["cssContentSize"]
    return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}


@contextmanager
def _browser(width: int, height: int) -> Iterator[websocket.WebSocket]:
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        command = [
            find_browser(),
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "about:blank",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            connection = websocket.create_connection(
                _tab_address(Path(profile), process), timeout=ANSWER_SECONDS, suppress_origin=True
            )
            try:
                yield connection
            finally:
                connection.close()
        finally:
            process.terminate()
            process.wait(timeout=ANSWER_SECONDS)


def _tab_address(profile: Path, process: "subprocess.Popen[bytes]") -> str:
    """The WebSocket address of the first tab; its port stands in its profile once it listens."""
    import httpx

    port_file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the browser stopped at once with code {process.returncode}")
        lines = port_file.read_text().splitlines() if port_file.exists() else []
        if len(lines) == 2:
            tabs = httpx.get(f"http://127.0.0.1:{lines[0]}/json/list", trust_env=False).json()
            pages = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
            if pages:
                return str(pages[0])
        time.sleep(0.05)
    raise TimeoutError(f"the browser did not listen within {START_SECONDS} s")


class _Tab:
    """One tab: calls and their answers, and the events that came in between."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._n_calls = 0
        self.errors: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._n_calls += 1
        self._connection.send(json.dumps({"id": self._n_calls, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv())
            if message.get("id") == self._n_calls:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return dict(message["result"])
            self._note(message)

    def evaluate(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_until(self, condition: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not self.evaluate(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page did not reach {condition} within {timeout} s")
            time.sleep(0.05)

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"].get("exception", {}).get("description", params)))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
