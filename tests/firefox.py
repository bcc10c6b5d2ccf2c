"""Open pages in the system's Firefox by its Marionette protocol: lengths and JSON over a socket."""

import json
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

NAMES = ("firefox-esr", "firefox")


class Firefox:
    """A window of Firefox without a screen."""

    def __init__(self, port):
        self.socket = _connect(port)
        self.rest = b""
        self.count = 0
        assert self._read()["marionetteProtocol"] == 3
        self.call("WebDriver:NewSession", strictFileInteractability=False)

    def open(self, address):
        """Load an address."""
        self.call("WebDriver:Navigate", url=address)

    def evaluate(self, expression):
        """Return the value of an expression in the page."""
        return self.call("WebDriver:ExecuteScript", script=f"return {expression}", args=[])["value"]

    def choose(self, selector, path):
        """Choose a file in an input."""
        found = self.call("WebDriver:FindElement", using="css selector", value=selector)
        (number,) = found["value"].values()
        self.call("WebDriver:ElementSendKeys", id=number, text=str(path))

    def call(self, command, **given):
        """Call a command, and return its result."""
        self.count += 1
        message = json.dumps([0, self.count, command, given]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self._read()
        assert number == self.count and error is None, error
        return result

    def _read(self):
        while b":" not in self.rest:
            self._receive()
        length, _, self.rest = self.rest.partition(b":")
        while len(self.rest) < int(length):
            self._receive()
        message, self.rest = self.rest[: int(length)], self.rest[int(length) :]
        return json.loads(message)

    def _receive(self):
        part = self.socket.recv(2**16)
        assert part, "Firefox has ended"
        self.rest += part


def _connect(port):
    end = time.monotonic() + 120
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=180)
        except OSError:
            assert time.monotonic() < end, "Firefox does not start"
            time.sleep(0.2)


@contextmanager
def open_firefox(folder):
    """Start Firefox with a new profile in a folder; skip the test without it."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("needs Firefox (apt-get install firefox-esr), which is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir()
    settings = {"marionette.port": port, "remote.log.level": "Error"}
    lines = [
        f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in settings.items()
    ]
    (folder / "user.js").write_text("".join(lines))
    command = [path, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        firefox = Firefox(port)
        yield firefox
        firefox.socket.close()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
