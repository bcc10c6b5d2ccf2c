"""Fill the cache with ONNX Runtime Web, which pages are made with: `make runtime`.

It comes from npm's client, or from the folder that is given, and is checked by its SHA-256.
"""

import sys
from pathlib import Path

from fullconv.errors import FullconvError
from fullconv.export.page import runtime


def main() -> None:
    """Fetch the files, unless they are there."""
    try:
        if sys.argv[1:]:
            runtime.store(Path(sys.argv[1]))
        runtime.web_runtime()
    except FullconvError as error:
        sys.exit(str(error))
    print(runtime.cache_folder())


if __name__ == "__main__":
    main()
