"""Open pages in the system's WebKit (WebKitGTK's MiniBrowser), the engine of Safari."""

import http.client
import json
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager

import pytest

from webdriver import Session, end, patient

PROGRAMS = {"WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"}  # and their Debian packages


class WebKit(Session):
    """A window of WebKit, by W3C WebDriver over HTTP."""

    def __init__(self, port):
        self.port, self.path = port, ""
        wanted = {"capabilities": {"alwaysMatch": {}}}
        found = patient(lambda: self._send("POST", "/session", wanted), "WebKit")
        self.path = f"/session/{found['sessionId']}/"
        self.command("timeouts", script=120_000, pageLoad=120_000)

    def command(self, name, **given):
        """Send a command of WebDriver's."""
        return self._send("POST", self.path + name, given)

    def close(self):
        """End the browser."""
        self._send("DELETE", self.path.rstrip("/"))

    def _send(self, method, path, given=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        connection.request(method, path, None if given is None else json.dumps(given))
        response = connection.getresponse()
        value = json.loads(response.read())["value"]
        connection.close()
        assert response.status == 200, value
        return value


@contextmanager
def open_webkit():
    """Start WebKit on a screen in memory; skip the test without it."""
    absent = [package for name, package in PROGRAMS.items() if shutil.which(name) is None]
    if absent:
        pytest.skip(f"needs WebKit (apt-get install {' '.join(absent)}), which is not installed")
    reading, writing = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    try:
        with os.fdopen(reading) as display:
            number = display.readline().strip()
        assert number, "Xvfb does not start"
        driver = subprocess.Popen(
            ["WebKitWebDriver", f"--port={port}"],
            env=os.environ | {"DISPLAY": f":{number}", "GDK_BACKEND": "x11"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            webkit = WebKit(port)
            yield webkit
            webkit.close()
        finally:
            end(driver)
    finally:
        end(screen)
