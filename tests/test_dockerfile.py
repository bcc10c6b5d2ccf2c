"""The steps of the Dockerfile, one line after the other, in a clean folder without Docker.

`pip` finds the dependencies that this environment has; those of the build come from the index.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx2
import numpy as np
import pytest

from fullconv.io.images import encode_png
from photos import write_model
from serving_models import wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
KEY = "0123456789abcdef"
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK"}
KNOWN |= {"ENTRYPOINT", "CMD"}


def instructions():
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


class Image:
    """A folder in place of an image's root: its absolute paths are below it."""

    def __init__(self, root):
        self.root, self.workdir = root, root
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(root)}
        self.facts = {}

    def inside(self, text):
        """Return a text whose absolute paths are those of the folder."""
        return re.sub(r"(?<![\w.:/-])/(?=(opt|models|run)/)", f"{self.root}/", text)

    def run(self, command, **options):
        return subprocess.run(
            command,
            cwd=self.workdir,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            **options,
        )

    def do(self, name, rest):
        assert name in KNOWN, f"the test knows no {name}"
        if name == "WORKDIR":
            self.workdir = Path(self.inside(rest))
            self.workdir.mkdir(parents=True)
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                self.copy(ROOT / source, self.workdir / target)
        elif name == "RUN":
            done = self.run(["sh", "-c", self.inside(rest)])
            assert done.returncode == 0, f"RUN {rest}: {done.stderr[-2000:]}"
            if " -m venv " in rest:
                self.lend_packages(self.workdir / rest.split()[-1])
        elif name == "ENV":
            key, _, value = self.inside(rest).partition("=")
            self.environment[key] = value.replace("$PATH", self.environment["PATH"])
        else:
            self.facts[name] = rest

    def copy(self, source, target):
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignore, dirs_exist_ok=True)
        else:
            target.mkdir(exist_ok=True)
            shutil.copy(source, target)

    def lend_packages(self, venv):
        """Let a new environment use the packages of this one, except fullconv."""
        lent = self.root / "lent"
        lent.mkdir()
        for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
            if "fullconv" not in path.name and path.suffix != ".pth":
                (lent / path.name).symlink_to(path)
        (folder,) = venv.glob("lib/python*/site-packages")
        (folder / "lent.pth").write_text(f"{lent}\n")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_the_steps_build_a_server_that_predicts(tmp_path):
    image = Image(tmp_path / "image")
    (tmp_path / "image").mkdir()
    # "python" of the base image is this interpreter.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys._base_executable)
    image.environment["PATH"] = f"{tmp_path / 'bin'}:{image.environment['PATH']}"
    for name, rest in instructions():
        image.do(name, rest)
    assert image.facts["USER"].partition(":")[0] not in ("0", "root")
    assert re.fullmatch(r"python:3\.\d+-slim", image.facts["FROM"])

    (image.root / "models").mkdir()
    write_model(image.root / "models" / "model.safetensors")
    (image.root / "run" / "secrets").mkdir(parents=True)
    (image.root / "run" / "secrets" / "key").write_text(KEY)
    port = free_port()
    words = [word for name in ("ENTRYPOINT", "CMD") for word in json.loads(image.facts[name])]
    program, *arguments = map(image.inside, words)
    found = shutil.which(program, path=image.environment["PATH"])
    assert found.startswith(str(image.workdir))
    server = subprocess.Popen(
        [found, *arguments, "--port", str(port)], cwd=image.workdir, env=image.environment
    )
    try:
        health = image.facts["HEALTHCHECK"].partition("CMD ")[2]
        python, *check = json.loads(health.replace(":8000/", f":{port}/"))
        python = shutil.which(python, path=image.environment["PATH"])
        wait_for(lambda: image.run([python, *check]).returncode == 0, 240)
        photo = encode_png(np.zeros((20, 24, 3), np.uint8))
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            assert http.post("/predict", content=photo).status_code == 401
            key = {"Authorization": f"Bearer {KEY}"}
            reply = http.post("/predict", content=photo, headers=key)
            assert reply.status_code == 200 and reply.content[1:4] == b"PNG"
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 143
    finally:
        server.kill()
        server.wait()


def test_only_what_is_copied_is_sent_to_the_build():
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = [part for name, rest in instructions() if name == "COPY" for part in rest.split()[:-1]]
    sent = [entry.removeprefix("!") for entry in ignored if entry.startswith("!")]
    assert ignored[0] == "*" and copied
    for part in copied:  # whole, or files in it
        assert any(entry == part or entry.startswith(f"{part}/") for entry in sent), part
    assert all(any(f"{entry}/".startswith(f"{part}/") for part in copied) for entry in sent)
