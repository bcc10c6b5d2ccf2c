"""Install fullconv, with exactly the files whose hashes the constraints files name.

    python scripts/install.py          # what fullconv needs, and this checkout: `make demo`
    python scripts/install.py --dev    # what its tests need beside that: `make setup`

Run by the Python of a virtual environment. A CPU build of PyTorch that is installed already, in
the version of constraints.txt, is kept, and CUDA's libraries are left out.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import requires
from pathlib import Path
from threading import Event, Thread

ROOT = Path(__file__).parents[1]
# What pip prints when it comes to a package: its name, or the path of a wheel.
BEGUN = re.compile(
    r"(?:Collecting|Processing|Requirement already satisfied:) (?:\S*/)?([\w.-]+?)(?:[ =<>!~]|-\d)"
)
PINNED = ("--require-hashes", "--no-deps", "--only-binary", ":all:")


def main() -> None:
    """Install the dependencies, then this checkout."""
    if "--dev" in sys.argv:
        install("constraints-dev.txt", "what the tests need")
    else:
        install("constraints.txt", "what fullconv needs")
        if any(re.match("nvidia|cuda", name) for name in requires("torch") or ()):
            install("constraints-cuda.txt", "CUDA's libraries")
        pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    pip("check")


def install(file: str, what: str) -> None:
    """Install the packages of a constraints file, showing which one is being downloaded."""
    total = len(re.findall("^[^ #]", (ROOT / file).read_text(), re.MULTILINE))
    with Progress(f"installing {what}", total) as progress:
        pip("install", *PINNED, "-r", file, progress=progress)


def pip(*arguments: str, progress: "Progress | None" = None) -> None:
    """Run pip, and end with its exit code if it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    output = subprocess.PIPE if progress else None
    with subprocess.Popen(command, cwd=ROOT, stdout=output, text=True) as process:
        if progress and process.stdout:
            progress.follow(process.stdout)
    if process.returncode:
        sys.exit(process.returncode)


class Progress:
    """A line that shows what pip is doing and for how long.

    On a terminal it is drawn anew every half second; elsewhere, a line is printed at the beginning
    and one for each download of 100 MB or more.

    Args:
        what: what is being installed.
        total: number of packages.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self.doing = ""
        self._began = time.monotonic()
        self._ended = Event()
        self._terminal = sys.stdout.isatty()
        self._drawing = Thread(target=self._draw, daemon=True)

    def __enter__(self) -> "Progress":
        if self._terminal:
            self._drawing.start()
        else:
            print(f"{self.what}: {self.total} packages", flush=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        with suppress(RuntimeError):  # it was not started
            self._drawing.join()
        if self._terminal:
            print("\r\033[K", end="")
            print(f"{self.what}: done in {self._elapsed()}")

    def follow(self, lines: Iterable[str]) -> None:
        """Read what pip prints until it ends."""
        for line in lines:
            if found := BEGUN.match(line):
                self.done += 1
                self.doing = found[1]
            elif found := re.match(r"\s+Downloading \S+ \((.+)\)", line):
                self.doing = f"{self.doing.partition(' ')[0]} ({found[1]})"
                if not self._terminal and re.match(r"\d{3,}\S* MB|\S+ GB", found[1]):
                    print(f"  downloading {self.doing}", flush=True)
            elif line.startswith("Installing collected packages"):
                self.doing = "unpacking"

    def text(self) -> str:
        """Return the line: what is installed, how far it is, and the time so far."""
        done = f"{min(self.done, self.total)}/{self.total}"
        return f"{self.what}  {done}  {self.doing}  {self._elapsed()}"

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes}:{seconds:02}"

    def _draw(self) -> None:
        while not self._ended.wait(0.5):
            print(f"\r\033[K{self.text()[:79]}", end="", flush=True)


if __name__ == "__main__":
    main()
