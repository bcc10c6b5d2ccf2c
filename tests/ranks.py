"""Train in two processes forked from one that has torch loaded; run as a program."""

import json
import os
import socket
import sys
from pathlib import Path

import torch

import fullconv as fc
from fullconv.evaluation.metrics import merge_confusions
from fullconv.training.distributed import SINGLE_PROCESS, init_distributed
from fullconv.training.initial_model import initial_model
from fullconv.training.trainer import Trainer
from fullconv.training.validation import confusions, sum_confusions
from toy_training import toy_data

# One size for all, since a batch is filled up to its largest sample.
CONFIG = fc.TrainConfig(
    crop=(16, 16),
    model="fcn8s-vgg11",
    width=1 / 16,
    hidden=8,
    batch=4,
    epochs=2,
    optimizer="sgd",
    lr=0.05,
)


def uneven():
    """Return seven samples with different shares of ignored pixels."""
    data = toy_data(7, 16)

    def read(index):
        sample = data[index]
        sample.labels[: 2 * index] = 255
        return sample

    return type(data)("uneven", None, data.classes, data.palette, data.names, read)


def trained(group, accumulate=1):
    """Train in double precision without dropout; return the trainer and its losses."""
    config = CONFIG.model_copy(update={"accumulate": accumulate})
    model = initial_model(config, uneven())
    model.network.double()
    for layer in model.network.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    one = Trainer(model, uneven(), config, group)
    losses = [step.loss for step in one.run()]
    return one, losses


def confusion_of(model, data, group=SINGLE_PROCESS):
    """Return the confusion matrix over a data set, of which each process evaluates a part."""
    parts = (each.first for each in confusions(model, data, group))
    merged = merge_confusions(parts, len(data.classes))
    return sum_confusions(merged, model, group)


def member(rank, port, folder):
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with init_distributed("cpu") as group:
        one, losses = trained(group)
        parts, _ = trained(group, accumulate=2)
        weights = {f"one.{k}": v.clone() for k, v in one.model.network.state_dict().items()}
        weights |= {f"parts.{k}": v for k, v in parts.model.network.state_dict().items()}
        one.model.network.float()
        counts = confusion_of(one.model, uneven(), group).counts
        text = group.broadcast_text("straße" if group.is_main else "nothing")
        result = {"losses": losses, "counts": counts.tolist(), "text": text}
        (folder / f"{rank}.json").write_text(json.dumps(result))
        torch.save(weights, folder / f"{rank}.pt")


def main(folder):
    torch.set_num_threads(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        if not (child := os.fork()):
            member(rank, port, folder)
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(map(abs, codes)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
