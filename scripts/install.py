"""Install fullconv for development, with exactly the files whose hashes constraints.txt names.

Run by the Python of a virtual environment. A CPU build of PyTorch that is installed already, in
the version of constraints.txt, is kept, and CUDA's libraries are left out.
"""

import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINNED = ("--require-hashes", "--no-deps", "--only-binary", ":all:")


def pip(*arguments: str) -> None:
    """Run pip, and end with its exit code if it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    code = subprocess.run(command, cwd=ROOT).returncode
    if code:
        sys.exit(code)


def main() -> None:
    """Install the dependencies, then this checkout."""
    pip("install", "--quiet", *PINNED, "-r", "constraints.txt")
    if any(re.match("nvidia|cuda", name) for name in requires("torch") or ()):
        pip("install", "--quiet", *PINNED, "-r", "constraints-cuda.txt")
    pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    pip("check")


if __name__ == "__main__":
    main()
