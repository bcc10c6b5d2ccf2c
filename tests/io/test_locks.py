"""A lock keeps other processes out, and ends with the one that holds it."""

import os
import signal

import pytest

from fullconv.errors import ConfigError
from fullconv.io.locks import hold, locked
from fullconv.training.run.folder import Run


def in_another_process(work):
    """What `work()`, true or false, is in a forked process."""
    child = os.fork()
    if not child:
        os._exit(bool(work()))
    return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@pytest.fixture
def holder():
    """A process that holds a folder until it is killed, and has forked one that goes on."""
    children = []

    def begin(folder):
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

    yield begin
    for child in children:
        os.killpg(child, signal.SIGKILL)


def test_a_folder_is_held_by_one_process_until_it_is_killed(tmp_path, holder):
    child = holder(tmp_path)
    assert not hold(tmp_path) and not in_another_process(lambda: hold(tmp_path))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)  # the process that it forked lives on, and holds nothing
    assert in_another_process(lambda: hold(tmp_path))
    assert hold(tmp_path) and hold(tmp_path / ".")
    assert not in_another_process(lambda: hold(tmp_path))


def test_a_run_is_trained_by_one_process(tmp_path, holder):
    holder(tmp_path)
    with pytest.raises(ConfigError, match=r"another process is training in .*; wait until"):
        Run(tmp_path).hold()


def test_what_is_locked_for_a_moment_is_waited_for(tmp_path):
    with locked(tmp_path) as possible:
        assert possible
    with locked(tmp_path) as possible:
        assert possible
