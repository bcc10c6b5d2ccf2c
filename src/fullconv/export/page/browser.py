"""Open a page in Chromium without a window, through its debugging pipe."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from fullconv.errors import ExportError
from fullconv.io.atomic import scratch

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 180  # for one call
OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
)
_NO_HOST = "--host-resolver-rules=MAP * ~NOTFOUND"
# Chromium reads from descriptor 3 and writes to 4.
_START = (
    "import os, sys; given = [os.dup(int(n)) for n in sys.argv[1:3]]; "
    "spare = [os.dup(n) for n in given for _ in range(4)]; "
    "os.dup2(spare[3], 3); os.dup2(spare[7], 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class NoBrowserError(Exception):
    """Chromium is not installed, or does not start."""


@dataclass
class OpenedPage:
    """A page in a browser.

    Attributes:
        name: of the browser and its version.
        check: result of the page's self-check: "passed", or what failed.
    """

    reader: int
    writer: int
    name: str = ""
    check: str = ""
    _session: str = ""
    _count: int = 0
    _rest: bytes = b""

    def load(self, address: str) -> None:
        """Open an address, and wait for the page's self-check."""
        self.name = self.call("Browser.getVersion")["product"]
        target = self.call("Target.createTarget", url=address)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        end = time.monotonic() + SECONDS
        while not self.check:
            self.check = self.evaluate("document.documentElement?.dataset.check ?? ''") or ""
            if time.monotonic() > end:
                raise ExportError(f"the page does not start in {self.name}: no file was written")
            time.sleep(0.05)

    def scores(self, image: Float[np.ndarray, "1 3 H W"]) -> Float[np.ndarray, "1 K H W"]:
        """Return the scores that the page computes."""
        height, width = image.shape[2:]
        planes = base64.b64encode(np.ascontiguousarray(image, "<f4").tobytes()).decode()
        text = self.evaluate(f"fullconv.source.score('{planes}', {height}, {width})")
        values = np.frombuffer(base64.b64decode(text), "<f4")
        return values.reshape(1, -1, height, width)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page; a promise is awaited.

        Raises:
            ExportError: it fails.
        """
        settings = {"awaitPromise": True, "returnByValue": True}
        found = self.call("Runtime.evaluate", expression=expression, **settings)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            text = details.get("exception", {}).get("description", details.get("text", ""))
            raise ExportError(f"the page fails in {self.name}: {text[:300]}: no file was written")
        return found["result"].get("value")

    def call(self, method: str, **given: Any) -> Any:
        """Call a method of the debugging protocol, and return its result.

        Raises:
            NoBrowserError: the browser has ended, or does not reply in time.
        """
        self._count += 1
        message = {"id": self._count, "method": method, "params": given}
        if self._session:
            message["sessionId"] = self._session
        rest = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while rest:
                rest = rest[os.write(self.writer, rest) :]
        except OSError as error:
            raise NoBrowserError(method) from error
        end = time.monotonic() + SECONDS
        while True:
            reply = json.loads(self._read(end))
            if reply.get("id") == self._count:
                break
        if "error" in reply:
            raise NoBrowserError(reply["error"].get("message", method))
        return reply["result"]

    def _read(self, end: float) -> bytes:
        parts = [self._rest]
        while b"\0" not in parts[-1]:
            ready, _, _ = select.select([self.reader], [], [], max(0, end - time.monotonic()))
            content = os.read(self.reader, 2**20) if ready else b""
            if not content:
                raise NoBrowserError("the browser does not reply")
            parts.append(content)
        message, _, self._rest = b"".join(parts).partition(b"\0")
        return message


def open_page(path: Path) -> AbstractContextManager[OpenedPage]:
    """Open a page in a file; see `open_address`."""
    return open_address(path.resolve().as_uri())


@contextmanager
def open_address(address: str) -> Iterator[OpenedPage]:
    """Open a page in Chromium, and wait for its self-check.

    Args:
        address: of a file, or of a server of this machine; no other host can be reached.

    Raises:
        NoBrowserError: Chromium is not installed, or does not start.
        ExportError: the page does not work.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None or os.name == "nt":
        raise NoBrowserError("Chromium is not installed")
    with scratch() as profile, _pipes() as (theirs, (reader, writer)):
        own = "" if address.startswith("file:") else ", EXCLUDE 127.0.0.1"
        command = [program, *OPTIONS, _NO_HOST + own, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:  # its sandbox refuses to run as root
            command.append("--no-sandbox")
        start = [sys.executable, "-c", _START, *map(str, theirs), *command]
        process = subprocess.Popen(
            start, pass_fds=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for descriptor in theirs:
            os.close(descriptor)
        try:
            opened = OpenedPage(reader, writer)
            opened.load(address)
            yield opened
        finally:
            with suppress(NoBrowserError):
                opened._session = ""
                opened.call("Browser.close")
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _pipes() -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield (what Chromium reads from, writes to), (what we read from, write to)."""
    their_reader, writer = os.pipe()
    reader, their_writer = os.pipe()
    try:
        yield (their_reader, their_writer), (reader, writer)
    finally:
        for descriptor in (reader, writer):
            os.close(descriptor)
