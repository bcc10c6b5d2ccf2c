"""A lock keeps other processes out, and ends with the process that holds it."""

import errno
import os
import signal

import pytest

from fullconv.batch.rasters.parts import open_parts
from fullconv.errors import ConfigError
from fullconv.io import locks
from fullconv.io.locks import hold, locked, try_lock
from fullconv.training.run.folder import Run


def in_another_process(work):
    """Return the result of `work()`, true or false, in a forked process."""
    child = os.fork()
    if not child:
        os._exit(bool(work()))
    return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@pytest.fixture
def holder():
    """Start a process that locks a folder until it is killed, and whose child survives it."""
    children = []

    def start(folder):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            hold(folder)
            if not os.fork():
                os.write(writer, b"held")
            signal.pause()
        children.append(child)
        assert os.read(reader, 4) == b"held"
        return child

    yield start
    for child in children:
        os.killpg(child, signal.SIGKILL)


def test_a_folder_is_held_by_one_process_until_it_is_killed(tmp_path, holder):
    child = holder(tmp_path)
    assert not hold(tmp_path) and not in_another_process(lambda: hold(tmp_path))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)  # its child survives, and holds no lock
    assert in_another_process(lambda: hold(tmp_path))
    assert hold(tmp_path) and hold(tmp_path / ".")
    assert not in_another_process(lambda: hold(tmp_path))


def test_a_run_is_trained_by_one_process(tmp_path, holder):
    holder(tmp_path)
    with pytest.raises(ConfigError, match=r"another process is training in .*; wait until"):
        Run(tmp_path).hold()


def test_a_process_waits_for_a_short_lock(tmp_path):
    for _ in range(2):
        with locked(tmp_path) as possible:
            assert possible


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_file_systems_without_locks_lock_nothing(tmp_path, monkeypatch, number):
    def refuse(handle, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    (tmp_path / "file").touch()
    with (tmp_path / "file").open() as file:
        assert try_lock(file.fileno())
    with locked(tmp_path) as possible:
        assert not possible
    with open_parts(tmp_path / "big.tif", {}, dict) as parts:
        assert not parts.resumed


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_of_another_process_is_respected(tmp_path, monkeypatch, number):
    def refuse(handle, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    assert not hold(tmp_path)
    with (
        pytest.raises(ConfigError, match=r"another .* is writing .*big.tif; wait"),
        open_parts(tmp_path / "big.tif", {}, dict),
    ):
        pass


def test_without_fcntl_nothing_is_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    assert try_lock(-1)
    with locked(tmp_path) as possible:
        assert not possible
