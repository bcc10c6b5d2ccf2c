"""Open pages in the system's Firefox by its Marionette protocol: lengths and JSON over a socket."""

import json
import shutil
import socket
import subprocess
from contextlib import contextmanager

import pytest

from webdriver import Session, end, patient

NAMES = ("firefox-esr", "firefox")
COMMANDS = {"url": "Navigate", "execute/sync": "ExecuteScript", "element": "FindElement"}
"""Marionette's names of WebDriver's commands; its values have the same names."""


class Firefox(Session):
    """A window of Firefox without a screen."""

    def __init__(self, port):
        self.socket = patient(
            lambda: socket.create_connection(("127.0.0.1", port), timeout=180), "Firefox"
        )
        self.rest = b""
        self.count = 0
        assert self._read()["marionetteProtocol"] == 3
        self._call("NewSession", strictFileInteractability=False)

    def command(self, name, **given):
        """Send a command of WebDriver's."""
        kind, _, rest = name.partition("/")
        if kind == "element" and rest:
            return self._call("ElementSendKeys", id=rest.removesuffix("/value"), **given)
        return self._call(COMMANDS[name], **given)["value"]

    def _call(self, command, **given):
        self.count += 1
        message = json.dumps([0, self.count, f"WebDriver:{command}", given]).encode()
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
        end(process)
