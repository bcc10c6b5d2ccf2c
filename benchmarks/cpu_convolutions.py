"""Alternatives to direct float32 convolution on CPUs: Winograd, and a smaller fc6.

Run: python benchmarks/cpu_convolutions.py [--threads 2] [--rounds 7] [--cpu]. The layers of VGG-16
at the map sizes of FCN-8s with border skipping on a 256 x 256 image. `direct` is oneDNN's
convolution with prepacked weights. Errors are relative to the largest output, compared with double
precision. The variants of fc6 are only timed: smaller_fc6.py measures their mean IoU.
"""

import os
from statistics import median

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import torch
from _timing import interleaved, machine, options
from torch import Tensor, nn

from fullconv.inference.cpu.packed_conv import DirectConv, MatmulConv, WinogradConv

# (input channels, output channels, input side), with the margin of the kernel.
LAYERS = {
    "conv1_2": (64, 64, 262),
    "conv2_2": (128, 128, 137),
    "conv3_1": (128, 256, 72),
    "conv3_2": (256, 256, 74),
    "conv4_1": (256, 512, 41),
    "conv4_2": (512, 512, 43),
    "conv5_1": (512, 512, 31),
}
SIDE = 15  # side of pool5
DIRECT = "fc6 as a convolution"
HEADS = {
    DIRECT: [(512, 4096, 7)],
    "fc6 as a matrix product": [(512, 4096, 7)],
    "fc6 of half the width (--hidden 2048)": [(512, 2048, 7)],
    "fc6 of rank 1024": [(512, 1024, 7), (1024, 4096, 1)],
    "fc6 of rank 512": [(512, 512, 7), (512, 4096, 1)],
}


def convolution(inputs: int, outputs: int, kernel: int) -> tuple[nn.Conv2d, Tensor, Tensor]:
    """Return a layer without padding, its weight (Kaiming initialization) and a bias."""
    conv = nn.Conv2d(inputs, outputs, kernel)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv, conv.weight.detach(), torch.randn(outputs) * 0.1


def error(found: Tensor, exact: Tensor) -> float:
    """Return the largest error, relative to the largest value."""
    return float((found - exact).abs().max() / exact.abs().max())


def main() -> None:
    """Print both tables."""
    chosen = options(__doc__ or "", sides="")
    torch.manual_seed(0)
    print(machine(chosen.threads))
    print(f"{'':36} direct ms  Winograd ms  times as fast  error direct  error Winograd")
    for name, (inputs, outputs, side) in LAYERS.items():
        x = torch.randn(1, inputs, side, side).relu().to(memory_format=torch.channels_last)
        conv, weight, bias = convolution(inputs, outputs, 3)
        direct, winograd = (kind(conv, weight, bias, True) for kind in (DirectConv, WinogradConv))
        variants = {
            "direct": lambda x=x, run=direct: run(x),
            "winograd": lambda x=x, run=winograd: run(x),
        }
        seconds = interleaved(variants, chosen.rounds, chosen.cpu)
        exact = nn.functional.conv2d(x.double(), weight.double(), bias.double()).relu()
        times = [1000 * median(seconds[name]) for name in variants]
        pairs = zip(seconds["direct"], seconds["winograd"], strict=True)
        ratio = median(slow / fast for slow, fast in pairs)
        label = f"{name} {inputs} -> {outputs}, {side} x {side}"
        print(f"{label:36} {times[0]:9.1f} {times[1]:12.1f} {ratio:14.2f}", end="")
        print(f" {error(direct(x), exact):13.1e} {error(winograd(x), exact):15.1e}")
    x = torch.randn(1, 512, SIDE, SIDE).relu().to(memory_format=torch.channels_last)
    heads = {}
    for name, layers in HEADS.items():
        parts = []
        for inputs, outputs, kernel in layers:
            kind = DirectConv if name == DIRECT else MatmulConv
            parts.append(kind(*convolution(inputs, outputs, kernel), True))
        stack = nn.Sequential(*parts)
        heads[name] = lambda stack=stack: stack(x)
    seconds = interleaved(heads, chosen.rounds, chosen.cpu)
    for name, times in seconds.items():
        pairs = zip(seconds[DIRECT], times, strict=True)
        ratio = median(slow / fast for slow, fast in pairs)
        print(f"{name:36} {1000 * median(times):9.1f} ms, {ratio:.2f} times as fast")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
