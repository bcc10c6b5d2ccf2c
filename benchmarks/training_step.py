"""Speed-up of a training step by border skipping.

Run: python benchmarks/training_step.py [--threads 2] [--rounds 7] [--sides 256] [--cpu].
FCN-8s on VGG-16 and on VGG-16 with batch norm, 21 classes, padding 100, one square image: scores,
loss, gradients and a step of SGD. Both variants run in interleaved rounds on the same weights. The
largest difference of a gradient is printed too, relative to the largest of its tensor, for a
quarter of the width in double precision: in single precision, rounding alone changes gradients that
pass through batch norms by 1e-2.
"""

import os
from collections.abc import Callable

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import torch
from _timing import interleaved, machine, options, table
from torch import Tensor, nn

from fullconv.networks.fcn import FCN, create_model
from fullconv.training.losses._base import cross_entropy


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


def main() -> None:
    """Measure every side, with and without batch norm."""
    chosen = options(__doc__ or "", sides="256", width=1.0)
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
    main()
