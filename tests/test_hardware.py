"""Devices, cores and memory, also where the system does not report them."""

import math
import os
import sys

import pytest
import torch

from fullconv import hardware
from fullconv.errors import ConfigError
from fullconv.hardware import (
    choose_device,
    free_memory,
    peak_memory,
    thread_pool,
    usable_cores,
)

CPU = torch.device("cpu")


def test_a_missing_device_is_refused():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="no usable GPU"):
            choose_device("cuda")


def test_auto_is_the_gpu_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("content", "cores"), [("max 100000", 8), ("150000 100000", 2), ("5000 100000", 1), ("", 8)]
)
def test_a_containers_limit_counts(content, cores, tmp_path, monkeypatch):
    limit = tmp_path / "cpu.max"
    limit.write_text(content)
    monkeypatch.setattr(hardware, "CGROUP", limit)
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert usable_cores() == cores


def test_there_is_free_memory():
    assert 2**20 < free_memory() < 2**50


def test_a_container_may_have_less_memory_than_the_machine(tmp_path, monkeypatch):
    (tmp_path / "limit").write_text("5000\n")
    (tmp_path / "used").write_text("2000\n")
    files = (str(tmp_path / "limit"), str(tmp_path / "used"))
    assert hardware._below_limit(*files) == 3000
    (tmp_path / "limit").write_text("max\n")
    assert hardware._below_limit(*files) is None
    assert hardware._below_limit(str(tmp_path / "none"), files[1]) is None
    monkeypatch.setattr(hardware, "_free_of_cgroups", lambda: [None, 3000])
    assert free_memory() == 3000


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory(CPU)
    held = torch.ones(2**26)  # 256 MiB
    assert peak_memory(CPU) > before or before > 2**30
    assert before > 2**24 and held.sum() > 0
    assert peak_memory() >= peak_memory(CPU) > 0


def test_peak_memory_without_proc_is_that_of_getrusage(tmp_path, monkeypatch):
    reported = peak_memory()
    monkeypatch.setattr(hardware, "STATUS", tmp_path / "none")
    # The kernel's two counters differ by the pages that it counts in batches.
    assert peak_memory() == pytest.approx(reported, rel=0.2)


def test_peak_memory_is_nan_where_the_system_does_not_report_it(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "STATUS", tmp_path / "none")
    monkeypatch.setitem(__import__("sys").modules, "resource", None)
    assert math.isnan(peak_memory(CPU))


def _times(monkeypatch, *snapshots, machine=4):
    """Let the CPU times be these, one after the other: (busy, idle, own, wall) in seconds."""
    cores = frozenset(range(4))
    taken = iter([hardware._CpuSeconds(*values, cores) for values in snapshots])
    monkeypatch.setattr(hardware, "_cpu_seconds", lambda: next(taken))
    monkeypatch.setattr("os.cpu_count", lambda: machine)


@pytest.mark.parametrize(
    ("later", "cores"),
    [
        ((40.0, 0.0, 20.0, 10.0), "2.0"),  # this process has half of the time of four cores
        ((39.0, 1.0, 0.5, 10.0), "3.9"),
        ((40.0, 0.0, 39.0, 10.0), ""),  # it has nearly everything
        ((20.0, 20.0, 5.0, 10.0), ""),  # two cores are free
        ((4.0, 0.0, 1.0, 1.0), ""),  # too soon to tell
    ],
)
@pytest.mark.parametrize(
    ("machine", "whose"), [(4, "its 4 cores"), (8, "the 4 cores that this process may use")]
)
def test_other_programs_are_told_where_they_leave_no_core_free(
    monkeypatch, later, cores, machine, whose
):
    _times(monkeypatch, (0.0, 0.0, 0.0, 0.0), later, machine=machine)
    told = hardware.OtherPrograms().describe()
    expected = f"the machine is busy: other programs took {cores} of {whose}" if cores else ""
    assert told == expected


@pytest.mark.parametrize(
    ("later", "slow"), [((2.0, 0.0, 1.0, 0.5), True), ((1.0, 1.0, 0.1, 0.5), False)]
)
def test_a_glance_shows_programs_that_compute_all_of_the_time(monkeypatch, later, slow):
    slept = []
    monkeypatch.setattr(hardware.time, "sleep", slept.append)
    monkeypatch.setattr(hardware.time, "monotonic", lambda: 0.1)
    _times(monkeypatch, (0.0, 0.0, 0.0, 0.0), later)
    assert hardware.OtherPrograms().slow_this_down() is slow
    assert slept == [pytest.approx(hardware.GLANCE - 0.1)], "what is left of the time"


def _proc_stat(path, *cores):
    """Write /proc/stat with (busy, idle) seconds for each core."""
    tick = os.sysconf("SC_CLK_TCK")
    # user nice system idle iowait irq softirq steal guest guest_nice
    lines = [
        f"cpu{number} {int(busy * tick)} 0 0 {int(idle * tick)} 0 0 0 0 0 0"
        for number, (busy, idle) in enumerate(cores)
    ]
    total = [int(sum(part) * tick) for part in zip(*cores, strict=True)]
    text = "\n".join([f"cpu  {total[0]} 0 0 {total[1]} 0 0 0 0 0 0", *lines, "ctxt 7", ""])
    path.write_text(text)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
@pytest.mark.parametrize(
    ("usable", "later", "told"),
    [
        # This process has the first core, another one the second.
        ([0], [(10.0, 0.0), (10.0, 0.0)], ""),
        # Another one has taken half of the first core, and the second is free.
        ([0], [(20.0, 0.0), (0.0, 20.0)], "0.5 of the 1 core that this process may use"),
        ([0, 1], [(10.0, 0.0), (10.0, 0.0)], "1.0 of its 2 cores"),
        ([0, 1], [(10.0, 0.0), (0.0, 10.0)], ""),
        ([7], [(10.0, 0.0), (10.0, 0.0)], ""),  # the file does not have its core
    ],
)
def test_only_the_cores_that_this_process_may_use_count(monkeypatch, tmp_path, usable, later, told):
    stat = tmp_path / "stat"
    seconds = sum(later[0])
    own = iter([(0.0,) * 5, (10.0, 0.0, 0.0, 0.0, seconds)])
    wall = iter([100.0, 100.0 + seconds])
    monkeypatch.setattr(hardware, "CPU_TIMES", stat)
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda _: set(usable))
    monkeypatch.setattr(hardware.os, "times", lambda: os.times_result(next(own)))
    monkeypatch.setattr(hardware.time, "monotonic", lambda: next(wall))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    _proc_stat(stat, (0.0, 0.0), (0.0, 0.0))
    others = hardware.OtherPrograms()
    _proc_stat(stat, *later)
    busy = f"the machine is busy: other programs took {told}" if told else ""
    assert others.describe() == busy


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
def test_nothing_is_told_of_a_process_that_was_moved_to_other_cores(monkeypatch, tmp_path):
    places = iter([{0}, {1}])
    wall = iter([0.0, 10.0])
    monkeypatch.setattr(hardware, "CPU_TIMES", tmp_path / "stat")
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda _: next(places))
    monkeypatch.setattr(hardware.time, "monotonic", lambda: next(wall))
    _proc_stat(tmp_path / "stat", (0.0, 0.0), (1000.0, 0.0))
    assert hardware.OtherPrograms().describe() == ""


def test_other_programs_are_unknown_without_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CPU_TIMES", tmp_path / "missing")
    assert hardware.OtherPrograms().describe() == ""
    assert not hardware.OtherPrograms().slow_this_down()


@pytest.mark.skipif(not hardware.CPU_TIMES.is_file(), reason="needs Linux's /proc/stat")
def test_cpu_times_of_this_machine_grow_with_the_work():
    before = hardware._cpu_seconds()
    while hardware._cpu_seconds().own < before.own + 0.1:
        pass
    after = hardware._cpu_seconds()
    assert after.busy - before.busy >= 0.05 and after.wall > before.wall


def test_threads_are_known_and_set_before_pytorch_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv(hardware.THREADS, "3,1")  # of nested loops, as OpenMP reads it
    assert hardware.get_threads() == 3
    hardware.set_threads(2)
    assert hardware.get_threads() == 2 and os.environ[hardware.THREADS] == "2"
    for unset in ("", "0", "many"):
        monkeypatch.setenv(hardware.THREADS, unset)
        assert hardware.get_threads() == hardware.usable_cores()


def test_threads_are_pytorchs_once_it_is_imported(monkeypatch):
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    hardware.set_threads(4)
    assert given == [4] and hardware.get_threads() == 5


@pytest.mark.parametrize(
    ("threads", "count", "share"), [(8, 2, 4), (9, 4, 2), (8, 8, 2), (2, 2, 2), (1, 3, 1)]
)
def test_threads_that_compute_side_by_side_keep_their_share(monkeypatch, threads, count, share):
    monkeypatch.setattr(hardware, "computing_threads", lambda: threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        pool = thread_pool(count)

        def compute(number):
            weight = torch.ones(1 << 17, requires_grad=True)
            (weight * number).sum().backward()  # large enough that PyTorch divides it
            return torch.get_num_threads()

        found = list(pool.map(compute, range(3 * count)))
        pool.shutdown()
        assert found == 3 * count * [share]
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
