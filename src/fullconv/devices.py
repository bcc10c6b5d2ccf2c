"""The device that a name means here, and the cores that there are."""

import os
from pathlib import Path

import torch

from fullconv.errors import ConfigError

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
