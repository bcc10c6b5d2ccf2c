"""Every module can be imported where Linux' own modules and functions are missing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src" / "fullconv"

# Only our own imports fail: torch and asyncio need these modules on Linux.
PROGRAM = """
import builtins, importlib, os, signal, sys
import torch, torch.distributed, numpy, PIL.Image, rich.progress, typer

missing = {"fcntl", "resource", "termios", "pwd", "grp"}
original = builtins.__import__

def restricted(name, namespace=None, *rest, **keywords):
    if name in missing and str((namespace or {}).get("__name__", "")).startswith("fullconv"):
        raise ImportError(name)
    return original(name, namespace, *rest, **keywords)

builtins.__import__ = restricted
for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGALRM"):
    delattr(signal, name)
for name in ("fork", "register_at_fork", "sched_getaffinity", "getloadavg", "O_CLOEXEC", "killpg"):
    delattr(os, name)
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_no_module_needs_what_windows_and_macos_lack():
    files = [path for path in sorted(ROOT.rglob("*.py")) if path.name != "__main__.py"]
    names = [
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in files
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
