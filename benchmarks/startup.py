"""Start-up time: help, import, and the first prediction.

Run: python benchmarks/startup.py [--rounds 7]. Each variant runs in a new process, in interleaved
rounds, with the files in the disk cache. The first prediction (FCN-8s on VGG-16, 64 x 64 pixels,
padding "same", full width, from a model file of half a gigabyte) is compared with the minimum:
importing torch and reading the weights.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from _timing import interleaved, machine, options, table

import fullconv as fc

IMPORT = "import torch"
READ = (
    "import sys, torch; from safetensors.torch import load_file; "
    "[tensor.sum() for tensor in load_file(sys.argv[1]).values()]"
)
FIRST = (
    "import sys, numpy; import fullconv as fc; "
    "fc.load(sys.argv[1]).predict(numpy.zeros((64, 64, 3), numpy.uint8)).labels"
)


def python(code: str, *arguments: str) -> Callable[[], object]:
    """Return a function that runs Python code in a new process."""
    return process(sys.executable, "-c", code, *arguments)


def process(*command: str) -> Callable[[], object]:
    """Return a function that runs a process and waits for it."""
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Print the table."""
    chosen = options(__doc__ or "", sides="")
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "model.safetensors"))
        network = fc.create_model("fcn8s-vgg16", 21)
        fc.Model(network, [f"class {number}" for number in range(21)]).save(file)
        variants = {
            "fullconv --help": process(str(Path(sys.executable).with_name("fullconv")), "--help"),
            "import fullconv": python("import fullconv"),
            "import torch": python(IMPORT),
            "import torch, read the weights": python(READ, file),
            "first prediction": python(FIRST, file),
        }
        seconds = interleaved(variants, chosen.rounds)
    print(machine(chosen.threads))
    print(table(seconds, "import torch, read the weights"))


if __name__ == "__main__":
    main()
