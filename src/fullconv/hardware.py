"""What this machine offers: devices, cores, free and peak memory."""

import math
import os
import platform
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

from fullconv.config.groups import check_device
from fullconv.errors import ConfigError
from fullconv.units import count

if TYPE_CHECKING:
    import torch

SHARE = 0.5  # of the free memory; the rest is for other programs
MAX_THREADS = 1024  # that anyone asks for; PyTorch's limit depends on the system
THREADS = "OMP_NUM_THREADS"  # the variable that PyTorch reads when it is imported
CGROUP = Path("/sys/fs/cgroup/cpu.max")  # a container's "QUOTA PERIOD" of CPU time
STATUS = Path("/proc/self/status")
CPU_INFO = Path("/proc/cpuinfo")
CPU_TIMES = Path("/proc/stat")  # Linux's times of each core, by kind, in ticks
CGROUP_LIMITS = (  # of version 2 and version 1
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
CGROUP_USAGES = (
    "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
)
BUSY = 0.25  # share of the cores from which other programs slow this one down
IDLE = 0.1  # share of the cores that is free even where programs compete
SOON = 2.0  # seconds within which the times, in steps of 10 ms, say nothing for certain
GLANCE = 0.25  # seconds after which they are a hint
# Threads of each computation beside others: with a single one, PyTorch leaves 1 x 1 convolutions to
# another library than oneDNN, with which a step of training takes 10 to 30 % longer on an AMD EPYC.
LEAST_SHARE = 2


def choose_device(name: str) -> "torch.device":
    """Return the device that "auto", "cpu", "cuda", "cuda:1" or "mps" names.

    Raises:
        ConfigError: no device has this name, or this machine has no such device.
    """
    import torch  # slow to import, and nothing else here needs it

    try:
        check_device(name)
    except ValueError as error:
        raise ConfigError(f"--device {name}: {error}") from error
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"--device {name}: no usable GPU was found; use --device cpu")
    if name.startswith("cuda:") and int(name[5:]) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise ConfigError(f"--device {name}: the GPUs are cuda:0 to cuda:{last}")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device mps: no Apple GPU with Metal was found; use --device cpu")
    return torch.device(name)


def usable_cores() -> int:
    """Count the cores that this process may use, within a container's limit."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = CGROUP.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def get_threads() -> int:
    """Return the CPU threads that one image is computed with: PyTorch's setting.

    PyTorch is not imported for that: before its import, it is the variable that it will read.
    """
    if (torch := sys.modules.get("torch")) is not None:
        return int(torch.get_num_threads())
    given = os.environ.get(THREADS, "").split(",")[0].strip()
    return int(given) if given.isdecimal() and int(given) else usable_cores()


def set_threads(count: int) -> None:
    """Set the CPU threads that one image is computed with; also if PyTorch is imported later."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)
    else:
        os.environ[THREADS] = str(count)


def computing_threads() -> int:
    """Count the threads that one image is computed with, within a container's limit."""
    return min(get_threads(), usable_cores())


class OtherPrograms:
    """What other programs take of the cores of this process, from the creation of this object.

    Only the cores that it may use count (`taskset`, SLURM): others do not slow it down. Processes
    that this one started count as others until they have ended.
    """

    def __init__(self) -> None:
        self._began = _cpu_seconds()

    def describe(self) -> str:
        """Return what they took if they slow this process down, else ""; only Linux tells it."""
        if not (taken := self._taken(SOON)):
            return ""
        others, cores = taken
        all_of_them = cores == (os.cpu_count() or 1)
        where = count(cores, "core") + ("" if all_of_them else " that this process may use")
        took = f"{min(others, cores):.1f} of {'its' if all_of_them else 'the'} {where}"
        return f"the machine is busy: other programs took {took}"

    def slow_this_down(self) -> bool:
        """Return whether they slow this process down, after waiting for `GLANCE` seconds in all.

        So short a time shows programs that compute all of the time, and no others for certain.
        """
        if (began := self._began) is None:
            return False
        time.sleep(max(0.0, began.wall + GLANCE - time.monotonic()))
        return self._taken(GLANCE) is not None

    def _taken(self, least: float) -> tuple[float, int] | None:
        """Return the cores that they took, and those there are, if they slow this process down.

        None before `least` seconds have passed, too.
        """
        now, began = _cpu_seconds(), self._began
        if now is None or began is None or now.wall - began.wall < least:
            return None
        if now.cores != began.cores:  # it was moved to others, whose times before are not known
            return None
        seconds, cores = now.wall - began.wall, len(now.cores)
        idle = (now.idle - began.idle) / seconds
        others = (now.busy - began.busy - (now.own - began.own)) / seconds
        return None if idle > IDLE * cores or others < BUSY * cores else (others, cores)


@dataclass(frozen=True)
class _CpuSeconds:
    """Seconds of CPU time.

    Attributes:
        busy: of the cores that this process may use, by all programs.
        idle: of these cores.
        own: of this process and its children that have ended, on any core.
        wall: the time.
        cores: the numbers of these cores.
    """

    busy: float
    idle: float
    own: float
    wall: float
    cores: frozenset[int]


def _cpu_seconds() -> _CpuSeconds | None:
    """Return the times by now; None on another system than Linux."""
    try:
        lines = map(str.split, CPU_TIMES.read_text(encoding="ascii").splitlines())
        usable = {f"cpu{core}": core for core in os.sched_getaffinity(0)}
        kinds = {
            usable[line[0]]: [*map(int, line[1:9])] for line in lines if line and line[0] in usable
        }
        tick = 1 / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    if not kinds:
        return None
    idle = sum(sum(ticks[3:5]) for ticks in kinds.values())  # with and without pending input/output
    busy = sum(map(sum, kinds.values())) - idle
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return _CpuSeconds(busy * tick, idle * tick, own, time.monotonic(), frozenset(kinds))


def thread_pool(count: int) -> ThreadPoolExecutor:
    """Create threads that compute side by side, each on its share of PyTorch's threads.

    The share is at least `LEAST_SHARE`, also where cores are fewer.
    """
    import torch

    before = torch.get_num_threads()
    share = max(min(LEAST_SHARE, before), computing_threads() // count)

    def start() -> None:
        # A new thread takes the number that was set last, when PyTorch first needs it: here, so
        # that its first computation does not replace the share.
        torch.get_num_threads()
        torch.set_num_threads(share)

    pool = ThreadPoolExecutor(count, "fullconv", start)
    started = Barrier(count)
    list(pool.map(lambda _: started.wait(), range(count)))
    torch.set_num_threads(before)  # threads that are created later begin with the last number set
    return pool


def peak_memory(device: "torch.device | None" = None) -> float:
    """Return the most bytes that this process has held: of the GPU if `device` is one, else RAM.

    NaN where the system does not report it (Windows).
    """
    if device is not None and device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device))
    try:
        # Not getrusage, whose figure on Linux begins with that of the parent process.
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024
    except (OSError, StopIteration):
        return _peak_of_getrusage()


def _peak_of_getrusage() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)  # macOS: bytes, else KiB


def processor_name() -> str:
    """Return the name of the processor, as the system tells it."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return name -> version of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def memory_limit() -> int:
    """Return the bytes of memory that this machine has, or that a container may use at most."""
    limits = [_installed_memory(), *(limit for limit in map(_limit_of, CGROUP_LIMITS) if limit)]
    return min(limits)


def free_memory() -> int:
    """Return the bytes that this process can take without swapping, within a container's limit."""
    limits = [_free_of_machine(), *_free_of_cgroups()]
    return min(size for size in limits if size is not None)


def _free_of_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
        return kibibytes["MemAvailable"] * 1024
    except (OSError, ValueError, IndexError, KeyError):
        return _installed_memory() // 2  # no /proc: assume that half is in use


def _installed_memory() -> int:
    if sys.platform == "win32":  # pragma: no cover - os.sysconf is missing there
        import ctypes

        kibibytes = ctypes.c_ulonglong()
        ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kibibytes))
        return kibibytes.value * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _free_of_cgroups() -> list[int | None]:
    """What control groups (containers, SLURM jobs) still allow; None where there is no limit."""
    return [_below_limit(*files) for files in zip(CGROUP_LIMITS, CGROUP_USAGES, strict=True)]


def _limit_of(path: str) -> int | None:
    try:
        most = Path(path).read_text(encoding="ascii").strip()
        return None if most == "max" else int(most)
    except (OSError, ValueError):
        return None


def _below_limit(limit: str, used: str) -> int | None:
    most = _limit_of(limit)
    try:
        return None if most is None else most - int(Path(used).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
