"""How much sooner a training step ends with the short cut than with all of the padding computed.

Run: python benchmarks/training_step.py [--threads 2] [--rounds 7] [--sides 256] [--cpu].
FCN-8s on VGG-16 and on VGG-16 with batch norm, 21 classes, padding 100, one square image: scores,
loss, gradients and a step of SGD. Both ways run in turn on the same weights. Printed too is the
largest difference of a gradient, relative to the largest of its tensor, of a network a quarter as
wide in double precision: in single precision, rounding alone moves those behind batch norm by 1e-2.
"""

import os
from collections.abc import Callable

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import torch
from _timing import interleaved, machine, options, table
from torch import Tensor, nn

from fullconv.networks.fcn import FCN, create_model
from fullconv.training.losses._base import cross_entropy


def step(made: FCN, image: Tensor, labels: Tensor, short_cut: bool) -> Callable[[], object]:
    """One step of training."""
    optimizer = torch.optim.SGD(made.parameters(), 1e-6, momentum=0.9)

    def run() -> None:
        made.sparse_padding = short_cut
        torch.manual_seed(0)  # of the dropout
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(made(image), labels).backward()
        optimizer.step()

    return run


def difference(name: str, image: Tensor, labels: Tensor) -> float:
    """The largest of a gradient with and without the short cut, relative to its tensor."""
    made = network(name, 0.25).double()
    found = []
    for made.sparse_padding in (True, False):
        torch.manual_seed(0)
        made.zero_grad()
        cross_entropy(made(image.double()), labels).backward()
        # A bias before a batch norm has no gradient but for rounding.
        found.append(
            {
                key: one.grad
                for key, one in made.named_parameters()
                if one.grad is not None and not ("_bn" in name and ".conv" in key and one.ndim == 1)
            }
        )
    quick, slow = found
    return max(float((quick[key] - slow[key]).abs().max() / slow[key].abs().max()) for key in slow)


def network(name: str, width: float) -> FCN:
    """In training, with scores that are not all zero."""
    torch.manual_seed(0)
    made = create_model(name, 21, padding=100, width=width).train()
    for layer in made.score_layers():
        nn.init.normal_(layer.weight, std=0.01)
    return made


def main() -> None:
    """Measure every side, with and without batch norm."""
    chosen = options(__doc__ or "", sides="256", width=1.0)
    for side in chosen.sides:
        for name in ("fcn8s-vgg16", "fcn8s-vgg16_bn"):
            made = network(name, chosen.width)
            image, labels = torch.rand(1, 3, side, side) * 255, torch.randint(21, (1, side, side))
            ways = {
                "literal eager": step(made, image, labels, False),
                "short cut": step(made, image, labels, True),
            }
            seconds = interleaved(ways, chosen.rounds, chosen.cpu)
            print(f"\n{name}, a step at {side} x {side}: {machine(chosen.threads)}")
            print(table(seconds, "literal eager"))
            worst = difference(name, image, labels)
            print(f"gradients differ by {worst:.1e} of the largest of their tensor")


if __name__ == "__main__":
    main()
