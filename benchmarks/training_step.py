"""Speed-up of a training step: the default network against PyTorch eager, and border skipping.

Run: python benchmarks/training_step.py [--threads 2] [--rounds 7] [--sides 256] [--cpu]
                                        [--only default | border].
FCN-4s on EfficientNet-Lite2, 11 classes, crops of 288 x 384, cross entropy, AdamW, the backbone's
batch norm frozen. "PyTorch eager" is a loop of one's own with PyTorch's advice for CPUs:
channels_last, the fused optimizer, gradients set to None; with PyTorch's and glibc's own settings
of threads, memory and caches. "layers" is fullconv's step with its batch norms computed by their
layers, "fullconv" folds them into the convolutions. Each has its own process, and they take turns.
The largest difference of a gradient is that of the norms' tensors, in double precision.

FCN-8s on VGG-16 and on VGG-16 with batch norm, 21 classes, padding 100, one square image: scores,
loss, gradients and a step of SGD. Both variants run in interleaved rounds on the same weights. The
largest difference of a gradient is printed too, relative to the largest of its tensor, for a
quarter of the width in double precision: in single precision, rounding alone changes gradients that
pass through batch norms by 1e-2.
"""

import os
import sys
from collections.abc import Callable

import torch
from _processes import WORK, Tasks, work, workers
from _timing import interleaved, machine, options, table
from torch import Tensor, nn

from fullconv.config import TrainConfig
from fullconv.data.batches import Batch
from fullconv.inference.heap import KEPT_FOR_STEPS, keep_heap
from fullconv.networks.fcn import FCN, create_model
from fullconv.training.batch_norm import set_training_mode
from fullconv.training.distributed import SINGLE_PROCESS
from fullconv.training.losses import make_loss
from fullconv.training.parallel_parts import count_parts
from fullconv.training.target import cross_entropy
from fullconv.training.train_step import TrainStep


def training_step(network: FCN, image: Tensor, labels: Tensor, skip: bool) -> Callable[[], object]:
    """Return a function that runs one training step."""
    optimizer = torch.optim.SGD(network.parameters(), 1e-6, momentum=0.9)

    def run() -> None:
        network.sparse_padding = skip
        torch.manual_seed(0)  # for dropout
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(network(image), labels).backward()
        optimizer.step()

    return run


def difference(name: str, image: Tensor, labels: Tensor) -> float:
    """Return the largest effect of border skipping on a gradient, relative to its tensor."""
    network = create_network(name, 0.25).double()
    found = []
    for network.sparse_padding in (True, False):
        torch.manual_seed(0)
        network.zero_grad()
        cross_entropy(network(image.double()), labels).backward()
        # The gradient of a bias before a batch norm is zero up to rounding.
        found.append(
            {
                key: one.grad
                for key, one in network.named_parameters()
                if one.grad is not None and not ("_bn" in name and ".conv" in key and one.ndim == 1)
            }
        )
    sparse, literal = found
    return max(
        float((sparse[key] - literal[key]).abs().max() / literal[key].abs().max())
        for key in literal
    )


def create_network(name: str, width: float) -> FCN:
    """Create a network in training mode whose scores are not all zero."""
    torch.manual_seed(0)
    network = create_model(name, 21, padding=100, width=width).train()
    for layer in network.score_layers():
        nn.init.normal_(layer.weight, std=0.01)
    return network


DEFAULT = TrainConfig(
    model="fcn4s-efficientnet_lite2",
    weights="none",
    freeze_bn=True,
    channels_last=True,
    lr=1e-4,
    crop=(288, 384),
)
CPU = torch.device("cpu")


def default_network() -> FCN:
    """Create the network with weights, norms and scores that are not trivial."""
    torch.manual_seed(0)
    network = create_model(DEFAULT.model, 11, **DEFAULT.architecture_settings)
    for layer in network.score_layers():
        nn.init.normal_(layer.weight, std=0.01)
    for layer in network.backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return network


def eager_step(batch: Batch) -> Callable[[], object]:
    """Return a step of a training loop in plain PyTorch."""
    network = default_network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, fused=True)
    image = batch.image.to(memory_format=torch.channels_last)

    def run() -> None:
        set_training_mode(network, frozen=True)
        optimizer.zero_grad(set_to_none=True)
        score = network(image)
        nn.functional.cross_entropy(score, batch.labels, ignore_index=255).backward()
        optimizer.step()

    return run


def own_step(batch: Batch, folds: bool) -> Callable[[], object]:
    """Return a step of fullconv's, as a training of these settings makes it."""
    network = default_network()
    parts = count_parts(DEFAULT, network, len(batch.names), CPU, SINGLE_PROCESS)
    step = TrainStep(network, make_loss("cross-entropy"), DEFAULT, 1, parts, CPU, SINGLE_PROCESS)
    if not folds:
        step.folded = []
    return lambda: step(batch, 0)


def default_difference(batch: Batch) -> float:
    """Return the largest effect of folding on a gradient, relative to its tensor."""
    found = []
    for folds in (False, True):
        network = default_network().double()
        step = TrainStep(network, make_loss("cross-entropy"), DEFAULT, 1, 1, CPU, SINGLE_PROCESS)
        step.folded = step.folded if folds else []
        set_training_mode(network, frozen=True)
        small = Batch(batch.image[:1, :, :96, :96].double(), batch.labels[:1, :96, :96], ("a",))
        small = Batch(small.image.repeat(2, 1, 1, 1), small.labels.repeat(2, 1, 1), ("a", "b"))
        step._compute_gradients(small, 0)
        found.append([p.grad for p in network.parameters() if p.grad is not None])
    return max(
        float((new - old).abs().max() / old.abs().max().clamp(min=1e-12))
        for old, new in zip(*found, strict=True)
    )


EAGER, LAYERS, OWN = "PyTorch eager", "layers", "fullconv"
LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}  # as the command line sets it
WAYS = {
    EAGER: {
        "STEP": EAGER,
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1024",
        "LRU_CACHE_CAPACITY": "1024",
        "GOMP_SPINCOUNT": "300000",
    },
    LAYERS: {"STEP": LAYERS, **LARGE_PAGES},
    OWN: {"STEP": OWN, **LARGE_PAGES},
}
COUNTS = (3, 6)  # crops of a step


def default_batch(count: int) -> Batch:
    """Return a batch of crops with labels."""
    labels = torch.randint(11, (count, 9, 12)).repeat_interleave(32, 1).repeat_interleave(32, 2)
    return Batch(torch.rand(count, 3, 288, 384) * 255, labels, tuple(map(str, range(count))))


def default_steps() -> Tasks:
    """Return the steps of the way that this process measures."""
    way = os.environ["STEP"]
    torch.set_num_threads(int(os.environ["STEP_THREADS"]))
    if way != EAGER:
        keep_heap(KEPT_FOR_STEPS)  # as a training does
    batches = {f"a step of {count} crops": default_batch(count) for count in COUNTS}
    return {
        name: eager_step(batch) if way == EAGER else own_step(batch, way == OWN)
        for name, batch in batches.items()
    }


def measure_default(threads: int, rounds: int) -> None:
    """Compare a step of the default network with PyTorch eager."""
    os.environ["STEP_THREADS"] = str(threads)
    with workers(WAYS) as measured:
        times = measured.rounds(rounds, seconds=3)
        names = measured.names
    for number, name in enumerate(names):
        print(f"\n{DEFAULT.model}, {name} of 288 x 384: {machine(threads)}")
        print(table({way: times[way, number] for way in WAYS}, EAGER, LAYERS))
    worst = default_difference(default_batch(2))
    print(f"gradients differ by {worst:.1e} of the largest of their tensor")


def main() -> None:
    """Measure the default network, and every side with and without batch norm."""
    chosen = options(__doc__ or "", sides="256", width=1.0, only="both")
    if chosen.only != "border":
        measure_default(chosen.threads, chosen.rounds)
    if chosen.only == "default":
        return
    for side in chosen.sides:
        for name in ("fcn8s-vgg16", "fcn8s-vgg16_bn"):
            network = create_network(name, chosen.width)
            image, labels = torch.rand(1, 3, side, side) * 255, torch.randint(21, (1, side, side))
            variants = {
                "literal eager": training_step(network, image, labels, False),
                "border skipping": training_step(network, image, labels, True),
            }
            seconds = interleaved(variants, chosen.rounds, chosen.cpu)
            print(f"\n{name}, a step at {side} x {side}: {machine(chosen.threads)}")
            print(table(seconds, "literal eager"))
            worst = difference(name, image, labels)
            print(f"gradients differ by {worst:.1e} of the largest of their tensor")


if __name__ == "__main__":
    if WORK in sys.argv:
        work(default_steps())
    else:
        main()
