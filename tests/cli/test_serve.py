"""fullconv serve: its options, its refusals, and one server from start to end."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from fullconv.cli import _serve_options as options
from fullconv.cli import run
from fullconv.cli._serve_log import _Json, _Text
from fullconv.errors import ConfigError
from fullconv.io.images import encode_png
from photos import write_model

KEY = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(options.KEY_VARIABLE, raising=False)
    write_model(tmp_path / "m.safetensors")
    return tmp_path


def refusal(capsys, *arguments):
    """Return what a refused command says."""
    code = run(["serve", *arguments])
    shown = capsys.readouterr()
    assert code in (2, 74) and "Traceback" not in shown.err, shown.err
    return shown.out + shown.err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_networks_need_a_key(host):
    with pytest.raises(ConfigError, match="give it a key with --key-file, or allow everyone"):
        options.check_exposure(host, None, insecure=False)
    options.check_exposure(host, KEY, insecure=False)
    options.check_exposure(host, None, insecure=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"])
def test_this_machine_needs_none(host):
    options.check_exposure(host, None, insecure=False)


def test_hosts_as_in_headers():
    assert options.host_header("::1") == options.host_header("[::1]") == "[::1]"
    assert options.host_header("Example.org") == "example.org"
    assert options.host_header("FE80::1") == "[fe80::1]"


def test_names_that_no_request_has_are_refused():
    for name in ("Segment.example", "10.0.0.5", "a_b-c.default.svc"):
        assert options.parse_allowed(name) == name.lower()
    for name in ("FE80::1", "[fe80::1]", "fe80:0:0::1"):
        assert options.parse_allowed(name) == "[fe80::1]"
    for wrong in (
        "segment.example:8443",
        "https://segment.example",
        "a/b",
        "*.example",
        "",
        "ü.de",
    ):
        with pytest.raises(ConfigError, match="without scheme, port and path"):
            options.parse_allowed(wrong)


def test_origins():
    assert options.parse_origin("https://Labels.example/") == "https://labels.example"
    assert options.parse_origin("http://localhost:3000") == "http://localhost:3000"
    for usual in ("https://labels.example:443", "http://labels.example:80/"):
        assert options.parse_origin(usual) == usual.rpartition(":")[0]
    assert options.parse_origin("http://labels.example:443") == "http://labels.example:443"
    for wrong in ("https://a?b", "https://a#b", "https://user@a", "https://a b"):
        with pytest.raises(ConfigError):
            options.parse_origin(wrong)
    for wrong in ("*", "https://*.example", "labels.example", "file:///a", "https://a/b", ""):
        with pytest.raises(ConfigError):
            options.parse_origin(wrong)


def test_the_key_comes_from_a_file_or_a_variable(folder, monkeypatch):
    assert options.read_key(None) is None
    (folder / "key").write_text(f"{KEY}\n")
    assert options.read_key(folder / "key") == KEY
    monkeypatch.setenv(options.KEY_VARIABLE, KEY + "x")
    assert options.read_key(None) == KEY + "x"
    assert options.read_key(folder / "key") == KEY


@pytest.mark.parametrize("content", [b"", b"short", b"a key with some spaces", b"k\xc3\xa9" * 10])
def test_keys_that_are_no_keys(folder, content):
    (folder / "key").write_bytes(content)
    with pytest.raises(ConfigError, match="expected one line of at least 16 letters and digits"):
        options.read_key(folder / "key")


def test_numbers_of_pixels():
    assert options.parse_count("250M", "--max-pixels") == 250_000_000
    assert options.parse_count("12", "--max-pixels") == 12
    for wrong in ("", "M", "-1", "0", "1.5M", "9" * 12):
        with pytest.raises(ConfigError, match="expected a number of pixels"):
            options.parse_count(wrong, "--max-pixels")


def test_mistakes_are_named(folder, capsys):
    (folder / "bad").write_bytes(b"\xff\xfe")
    (folder / "file").write_text("x")
    assert "--host 0.0.0.0 lets other" in refusal(capsys, "m.safetensors", "--host", "0.0.0.0")
    assert "missing" in refusal(capsys, "m.safetensors", "--key-file", "missing")
    assert "is not text" in refusal(capsys, "m.safetensors", "--key-file", "bad")
    assert "--log xml" in refusal(capsys, "m.safetensors", "--log", "xml")
    wrong = ["m.safetensors", "--label-studio", "127.0.0.1:8080"]
    assert "--label-studio 127.0.0.1:8080: expected its address" in refusal(capsys, *wrong)
    assert "memory size" in refusal(capsys, "m.safetensors", "--memory", "much")
    assert "is a file" in refusal(capsys, "m.safetensors", "--uds", "file")
    assert "no-model" in refusal(capsys, "no-model", "--port", "0")
    twice = refusal(capsys, "m.safetensors", "./m.safetensors", "--port", "0")
    assert "two models are called 'm'; name one of them: NAME=./m.safetensors" in twice
    assert "cannot stand in a URL" in refusal(capsys, "a/b=m.safetensors", "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert "choose another --port" in refusal(capsys, "m.safetensors", "--port", port)


def test_log_lines(monkeypatch):
    record = logging.LogRecord("a", logging.WARNING, "f", 1, "evil %s", ("\x1b[31m\n",), None)
    line = _Text().format(record)
    assert line.endswith("warning: evil \\x1b[31m\\n") and "\n" not in line
    record.facts = {"status": 200}
    values = json.loads(_Json().format(record))
    assert values["status"] == 200 and values["level"] == "warning" and "T" in values["time"]
    try:
        raise ValueError("x")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: x" in _Text().format(record)
    assert "ValueError: x" in json.loads(_Json().format(record))["traceback"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_a_server_from_start_to_end(folder, number, code):
    command = [sys.executable, "-m", "fullconv", "serve", "a=m.safetensors", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--log", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout and process.stderr
    address = process.stdout.readline().split()[-1]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                break
        except OSError:
            time.sleep(0.1)
    photo = encode_png(np.zeros((20, 30, 3), np.uint8))
    request = urllib.request.Request(f"{address}/models/a/predict", photo, {"X-Request-Id": "r1"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.read().startswith(b"\x89PNG")
    process.send_signal(number)
    _, log = process.communicate(timeout=20)
    assert process.returncode == code
    lines = [json.loads(line) for line in log.splitlines()]
    ours = next(line for line in lines if line.get("request") == "r1")
    assert ours["status"] == 200 and ours["path"] == "/models/a/predict"
