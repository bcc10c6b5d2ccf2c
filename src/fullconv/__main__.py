"""The entry point of `fullconv` and `python -m fullconv`."""

import os
import sys

from fullconv import CODE_CACHE, CODE_KEPT
from fullconv.cli import run

TRAINS = ("train", "demo")  # commands


def main() -> None:
    """Run the command line and exit with its code."""
    # PyTorch reads this at its start: large memory pages for large maps save a tenth of the time.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    # A training has about four pieces of code for each layer; with fewer kept than that, each step
    # would make all of them anew. Not for other commands: predictions of many sizes grow by it.
    if sys.argv[1:2] and sys.argv[1] in TRAINS and os.environ[CODE_CACHE] == CODE_KEPT:
        os.environ[CODE_CACHE] = "1024"
    if os.environ.get("WORLD_SIZE", "1") != "1":  # every process would print a warning
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
