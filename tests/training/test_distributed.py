"""Data-parallel training with two processes gives the weights of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ranks
from fullconv.errors import ConfigError
from fullconv.training.distributed import SINGLE_PROCESS, ProcessGroup, init_distributed
from fullconv.training.sampler import ResumableBatchSampler

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, HERE / "ranks.py", folder]
    environment = os.environ | {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, timeout=300, env=environment)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)], [
        torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)
    ]


@pytest.fixture(scope="module")
def alone():
    return ranks.trained(SINGLE_PROCESS)


@pytest.mark.parametrize("kind", ["one", "parts"])
def test_the_weights_are_those_of_one_process(two, alone, kind):
    for weights in two[1]:
        for name, value in alone[0].model.network.state_dict().items():
            assert (weights[f"{kind}.{name}"] - value).abs().max() < 1e-12, name


def test_every_process_reports_the_loss_of_the_whole_batch(two, alone):
    for found in two[0]:
        assert found["losses"] == pytest.approx(alone[1], rel=1e-6)


def test_text_is_broadcast_from_the_main_process(two):
    assert [found["text"] for found in two[0]] == ["straße"] * 2


def test_a_shared_evaluation_equals_that_of_one_process(two, alone):
    alone[0].model.network.float()
    expected = ranks.confusion_of(alone[0].model, ranks.uneven()).counts.tolist()
    assert [found["counts"] for found in two[0]] == [expected, expected]


def test_every_sample_is_seen_by_one_process():
    whole = list(ResumableBatchSampler(11, 5, 3, range(6)))
    parts = [
        list(ResumableBatchSampler(11, 5, 3, range(6), ProcessGroup(rank, 3))) for rank in range(3)
    ]
    for step, keys in enumerate(whole):
        shared = [key for part in parts for key in part[step]]
        assert sorted(shared) == sorted(keys) and all(part[step] for part in parts)


def test_a_batch_smaller_than_the_number_of_processes_is_rejected():
    with pytest.raises(ConfigError, match="batch of 4 cannot be split over 5 processes"):
        ranks.trained(ProcessGroup(0, 5))


def test_without_a_launcher_there_is_a_single_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with init_distributed() as group:
        assert group is SINGLE_PROCESS and not torch.distributed.is_initialized()


def test_invalid_environment_variables_are_rejected(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(ConfigError, match=r"WORLD_SIZE.*torchrun"), init_distributed():
        pass
