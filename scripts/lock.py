"""Write the constraints files: the version and hashes of every dependency.

constraints.txt is what fullconv needs, constraints-dev.txt what its tests need beside it, and
constraints-cuda.txt what only a CUDA build of PyTorch needs.

Needs uv (`pip install uv`). Versions that the files name already stay; to take newer ones, delete
their lines first.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE, DEV, CUDA = (ROOT / f"constraints{kind}.txt" for kind in ("", "-dev", "-cuda"))
IS_CUDA = re.compile(r"(nvidia|cuda)-|triton=")
BUILD = "editables\nhatchling\n"  # with them, this checkout is installed
OPTIONS = ("--universal", "--python-version", "3.11", "--generate-hashes")
OPTIONS += ("--no-annotate", "--no-header", "--only-binary", ":all:", "--quiet")
HEADERS = {
    CORE: "# What fullconv needs, made by scripts/lock.py: the versions that are tested.\n",
    DEV: "# What the tests need beside constraints.txt, made by scripts/lock.py.\n",
    CUDA: "# What a CUDA build of PyTorch needs beside constraints.txt, made by scripts/lock.py.\n",
}


def lock(*options: str) -> dict[str, str]:
    """Return name -> pinned requirement with hashes, of the project and its build."""
    known = [option for path in HEADERS if path.is_file() for option in ("-c", str(path))]
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "-", *options]
    done = subprocess.run(
        [*command, *known, *OPTIONS],
        cwd=ROOT,
        check=True,
        input=BUILD,
        stdout=subprocess.PIPE,
        text=True,
    )
    entries = re.split(r"\n(?=\S)", done.stdout.strip())
    return {entry.partition("==")[0]: entry for entry in entries}


def main() -> None:
    """Write the three files."""
    every, core = lock("--extra", "dev"), lock()
    chosen: dict[Path, list[str]] = {CORE: [], DEV: [], CUDA: []}
    for name, entry in every.items():
        path = CUDA if IS_CUDA.match(entry) else CORE if name in core else DEV
        chosen[path].append(entry)
    for path, entries in chosen.items():
        path.write_text(HEADERS[path] + "\n".join(entries) + "\n")


if __name__ == "__main__":
    main()
