"""The entry point of `fullconv` and `python -m fullconv`."""

import os
import sys

from fullconv.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    # PyTorch reads this at its start: large memory pages for large maps save a tenth of the time.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if os.environ.get("WORLD_SIZE", "1") != "1":  # every process would print a warning
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
