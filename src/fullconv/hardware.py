"""What this machine offers: devices, cores, free and peak memory."""

import math
import os
import re
import resource
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path

import torch

from fullconv.errors import ConfigError

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
SHARE = 0.5  # of the free memory; the rest is for whoever else computes here


def parse_memory(text: str | int) -> int:
    """Bytes of a size such as "2GiB", "512M" or "1.5 GB" (always powers of 1024).

    Raises:
        ConfigError: it is no size, or nothing.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", str(text), re.IGNORECASE)
    size = int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    if size <= 0:
        raise ConfigError(f"a memory of {text!r}: expected a size such as 2GiB or 512MiB")
    return size


def free_memory() -> int:
    """Bytes that this process can take without swapping: what the machine and its group leave."""
    found = [_machine(), *_groups()]
    return min(size for size in found if size is not None)


def in_words(size: float, whole: Callable[[float], int] = round) -> str:
    """Bytes for people: "1.5 GiB".

    Args:
        size: in bytes.
        whole: makes whole tenths of a unit.
    """
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024 or unit == "GiB":
            break
    return f"{whole(10 * size) / 10:.1f} {unit}"


def enough(size: int) -> str:
    """Bytes for people who are to give as many: `in_words`, rounded up."""
    return in_words(size, ceil)


def _machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
        return kibibytes["MemAvailable"] * 1024
    except (OSError, ValueError, IndexError, KeyError):
        pages = os.sysconf("SC_PHYS_PAGES")  # macOS has no /proc: half of what is built in
        return pages * os.sysconf("SC_PAGE_SIZE") // 2


def _groups() -> list[int | None]:
    """What control groups (containers, SLURM jobs) still allow; None where they allow all."""
    version2 = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")
    version1 = (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    )
    return [_left(*files) for files in (version2, version1)]


def _left(limit: str, used: str) -> int | None:
    try:
        most = Path(limit).read_text(encoding="ascii").strip()
        return None if most == "max" else int(most) - int(Path(used).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


CGROUP = Path("/sys/fs/cgroup/cpu.max")  # a container's "QUOTA PERIOD" of CPU time


def choose_device(name: str) -> torch.device:
    """The device that "auto", "cpu", "cuda", "cuda:1" or "mps" means.

    Raises:
        ConfigError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("--device cuda: no usable GPU was found here; say --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device mps: this is no Apple machine with Metal; say --device cpu")
    return torch.device(name)


def usable_cores() -> int:
    """The cores that this process may use, a container's limit included."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = CGROUP.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def peak_memory(device: torch.device) -> float:
    """The most bytes that this process has held; of the GPU where it computes on one."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    if sys.platform == "win32":  # pragma: no cover
        return math.nan  # it has no such figure without another package
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)  # kilobytes on Linux


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes on Linux
