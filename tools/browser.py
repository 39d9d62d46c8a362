"""A chromium that is led by its own protocol, over a pipe: it loads pages and runs scripts in them.

It reaches this machine alone.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from pathlib import Path
from typing import IO, Any

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""Of a chromium that shows nothing on a screen and reaches this machine alone."""

_LONGEST_SECONDS = 180


class BrowserError(Exception):
    """The browser ended, or refused what it was asked."""


class Page:
    """A page of the browser.

    Attributes:
        requested: Every address that it asked for, its own included.
        complaints: What the browser said on its console, and what it refused.
    """

    def __init__(self, sent: IO[bytes], received: IO[bytes]) -> None:
        self._sent, self._received = sent, received
        self._number = 0
        self._loads = 0
        self._session: str | None = None
        self.requested: list[str] = []
        self.complaints: list[str] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")
        self.do("Page.setLifecycleEventsEnabled", enabled=True)

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something, and wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._sent.write(json.dumps(message).encode() + b"\0")
        self._sent.flush()
        while True:
            said = self._next()
            if said.get("id") == self._number:
                if "error" in said:
                    raise BrowserError(f"{method}: {said['error']}")
                found: dict[str, Any] = said["result"]
                return found

    def open(self, url: str) -> None:
        """Load a page to its end, its module scripts included."""
        begun = self.do("Page.navigate", url=url)
        if "errorText" in begun:
            raise BrowserError(f"{url}: {begun['errorText']}")
        loaded = {"name": "load", "loaderId": begun["loaderId"]}
        while not loaded.items() <= self._next().get("params", {}).items():
            pass

    def follow(self, lead: Callable[[], object]) -> None:
        """Do what leads to another page, and wait for that page's end."""
        loads = self._loads
        lead()
        while self._loads == loads:
            self._next()

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of an element, after it is brought into sight."""
        x, y = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def run(self, script: str) -> Any:
        """The value of an expression in the page, once it is settled."""
        done = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise BrowserError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the page a size, and a look."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        look = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.do("Emulation.setEmulatedMedia", features=look)

    def picture(self) -> bytes:
        """The page as a PNG, as far as it is seen."""
        return base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """Have the browser end."""
        self._session = None
        self.do("Browser.close")

    def _next(self) -> dict[str, Any]:
        said = bytearray()
        while not said.endswith(b"\0"):
            part = self._received.read(1)
            if not part:
                raise BrowserError("the browser ended")
            said += part
        event: dict[str, Any] = json.loads(said[:-1])
        stated = event.get("params", {})
        if event.get("method") == "Page.lifecycleEvent" and stated["name"] == "load":
            self._loads += 1
        if event.get("method") == "Network.requestWillBeSent":
            self.requested.append(stated["request"]["url"])
        elif event.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(stated))
        return event


def find_chromium() -> str | None:
    """The path of a chromium, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def chromium(profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a headless chromium that reaches this machine alone, with a profile of its own.

    Raises:
        FileNotFoundError: There is no chromium.
    """
    return subprocess.run(
        _command(profile, *arguments), capture_output=True, text=True, check=True, timeout=120
    )


def _command(profile: Path, *arguments: str) -> list[str]:
    program = find_chromium()
    if program is None:
        raise FileNotFoundError("there is no chromium; on Debian: apt-get install chromium")
    return [program, *_ARGUMENTS, f"--user-data-dir={profile}", *arguments]


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Let a server answer for a while."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a new headless browser.

    Args:
        profile: A folder of its own.

    Raises:
        FileNotFoundError: There is no chromium.
    """
    command = _command(profile, "--remote-debugging-pipe")
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    # The protocol's pipe is that of the descriptors 3 and 4.
    launch = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
    with (
        subprocess.Popen(
            ["bash", "-c", launch, "browser", str(to_browser), str(to_us), *command],
            pass_fds=(to_browser, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
        os.fdopen(from_us, "wb") as sent,
        os.fdopen(from_browser, "rb") as received,
    ):
        os.close(to_browser)
        os.close(to_us)
        # A page that never comes to its end ends the browser, and whoever waits is told.
        watchdog = threading.Timer(_LONGEST_SECONDS, process.kill)
        watchdog.start()
        try:
            page = Page(sent, received)
            yield page
            page.close()
        except BaseException:
            process.terminate()
            raise
        finally:
            watchdog.cancel()
