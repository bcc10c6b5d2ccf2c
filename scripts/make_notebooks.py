"""Make notebooks of notebooks/*.py and run them: build/notebooks/*.ipynb, with their output.

    python scripts/make_notebooks.py                 # all
    python scripts/make_notebooks.py course          # notebooks/course.py
    python scripts/make_notebooks.py --no-output     # do not run them

A notebook is a Python file with cells ("# %%"), which Jupytext reads; only these are committed.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

ROOT = Path(__file__).parents[1]
SOURCE, FOLDER = ROOT / "notebooks", ROOT / "build" / "notebooks"


def sources() -> dict[str, Path]:
    """Return name -> file."""
    return {path.stem: path for path in sorted(SOURCE.glob("*.py"))}


def run(notebook: NotebookNode) -> float:
    """Run a notebook, which gets the output of its cells; return its seconds.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    programs = str(Path(sys.executable).parent)  # for cells that run fullconv in a shell
    environment = {**os.environ, "PATH": os.pathsep.join((programs, os.environ["PATH"]))}
    environment["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # whatever it was
    environment["PYTHONWARNINGS"] = (
        "ignore:IProgress"  # tqdm asks for widgets, which it can do without
    )
    with tempfile.TemporaryDirectory() as folder:
        sockets = {"transport": "ipc", "ip": os.path.join(folder, "kernel")}  # files, not ports
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            config=Config({"KernelManager": sockets}),
            resources={"metadata": {"path": folder}},
        )
        began = time.monotonic()
        client.execute(env=environment)
    return time.monotonic() - began


def main() -> None:
    """Write the notebooks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *sources()], metavar="NAME")
    parser.add_argument("--no-output", action="store_true", help="do not run them")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in options.names or sources():
        notebook = jupytext.read(sources()[name])
        took = "" if options.no_output else f"  {run(notebook):.0f} s"
        path = FOLDER / f"{name}.ipynb"
        jupytext.write(notebook, path)
        print(f"{path.relative_to(ROOT)}{took}", flush=True)


if __name__ == "__main__":
    main()
