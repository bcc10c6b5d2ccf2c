"""Write constraints.txt and constraints-cuda.txt: the version and hashes of every dependency.

Needs uv (`pip install uv`). Versions that the files name already stay; to take newer ones, delete
their lines first. Packages that only a CUDA build of PyTorch needs go into a file of their own.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OTHERS, CUDA = ROOT / "constraints.txt", ROOT / "constraints-cuda.txt"
IS_CUDA = re.compile(r"(nvidia|cuda)-|triton=")
OPTIONS = ("--universal", "--python-version", "3.11", "--generate-hashes")
OPTIONS += ("--no-annotate", "--no-header", "--only-binary", ":all:", "--quiet")
HEADERS = {
    OTHERS: "# What `make` installs, made by scripts/lock.py: the versions that are tested.\n",
    CUDA: "# What a CUDA build of PyTorch needs beside constraints.txt, made by scripts/lock.py.\n",
}


def lock() -> str:
    """Return the pinned requirements of the project and of its development, with hashes."""
    known = [option for path in HEADERS if path.is_file() for option in ("-c", str(path))]
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--extra", "dev"]
    done = subprocess.run(
        [*command, *known, *OPTIONS], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout


def main() -> None:
    """Write both files."""
    entries = re.split(r"\n(?=\S)", lock().strip())
    for path, cuda in ((OTHERS, False), (CUDA, True)):
        chosen = [entry for entry in entries if bool(IS_CUDA.match(entry)) == cuda]
        path.write_text(HEADERS[path] + "\n".join(chosen) + "\n")


if __name__ == "__main__":
    main()
