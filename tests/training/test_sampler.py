"""The samples of each step, and the loader processes."""

import os

from fullconv.training.sampler import ResumableBatchSampler, _ignore_stop_signals


def test_each_epoch_is_shuffled_differently_as_a_function_of_the_seed():
    first, second = (list(ResumableBatchSampler(7, 3, 0, range(4))) for _ in range(2))
    assert first == second and first != list(ResumableBatchSampler(7, 3, 1, range(4)))
    assert first[2:] == list(ResumableBatchSampler(7, 3, 0, range(2, 4)))  # from any step
    for epoch, steps in enumerate((first[:2], first[2:])):
        keys = [key for step in steps for key in step]
        assert len(set(keys)) == 6 and {one for one, _ in keys} == {epoch}


def test_a_worker_ends_if_its_parent_was_killed_before_it_started():
    child = os.fork()
    if not child:
        _ignore_stop_signals(os.getppid() + 1, 0)  # as if another process had started it
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    child = os.fork()
    if not child:
        _ignore_stop_signals(os.getppid(), 0)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
