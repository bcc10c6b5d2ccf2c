"""What goes beyond direct convolution in single precision: Winograd, and a smaller fc6.

Run: python benchmarks/beyond_direct.py [--threads 2] [--rounds 7] [--cpu]. The layers of VGG-16 at
the sizes that FCN-8s with the short cut gives them on an image of 256 x 256. `direct` is oneDNN's
convolution with weights laid out for it. Errors are relative to the largest output, against double
precision. fc6's variants are timed only: what they cost in mean IU needs training (`--hidden`), or
trained weights to take apart.
"""

import os
from statistics import median

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import torch
from _timing import interleaved, machine, options
from torch import Tensor, nn

from fullconv.inference.cpu.packed_conv import DirectConv, MatmulConv, WinogradConv

# (maps in, maps out, rows of the input), each behind the margin of its window.
LAYERS = {
    "conv1_2": (64, 64, 262),
    "conv2_2": (128, 128, 137),
    "conv3_1": (128, 256, 72),
    "conv3_2": (256, 256, 74),
    "conv4_1": (256, 512, 41),
    "conv4_2": (512, 512, 43),
    "conv5_1": (512, 512, 31),
}
SIDE = 15  # rows of pool5
DIRECT = "fc6 as a convolution"
HEADS = {
    DIRECT: [(512, 4096, 7)],
    "fc6 as one product": [(512, 4096, 7)],
    "fc6, half as wide (--hidden 2048)": [(512, 2048, 7)],
    "fc6 of rank 1024": [(512, 1024, 7), (1024, 4096, 1)],
    "fc6 of rank 512": [(512, 512, 7), (512, 4096, 1)],
}


def convolution(given: int, wide: int, kernel: int) -> tuple[nn.Conv2d, Tensor, Tensor]:
    """A layer without padding, and its weights, as large as ReLU wants them."""
    conv = nn.Conv2d(given, wide, kernel)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv, conv.weight.detach(), torch.randn(wide) * 0.1


def error(found: Tensor, exact: Tensor) -> float:
    """The largest, relative to the largest value."""
    return float((found - exact).abs().max() / exact.abs().max())


def main() -> None:
    """Both tables."""
    chosen = options(__doc__ or "", sides="")
    torch.manual_seed(0)
    print(machine(chosen.threads))
    print(f"{'':36} direct ms  Winograd ms  times as fast  error direct  error Winograd")
    for name, (given, wide, side) in LAYERS.items():
        x = torch.randn(1, given, side, side).relu().to(memory_format=torch.channels_last)
        conv, weight, bias = convolution(given, wide, 3)
        direct, tiled = (kind(conv, weight, bias, True) for kind in (DirectConv, WinogradConv))
        ways = {"direct": lambda x=x, run=direct: run(x), "tiled": lambda x=x, run=tiled: run(x)}
        seconds = interleaved(ways, chosen.rounds, chosen.cpu)
        exact = nn.functional.conv2d(x.double(), weight.double(), bias.double()).relu()
        times = [1000 * median(seconds[way]) for way in ways]
        pairs = zip(seconds["direct"], seconds["tiled"], strict=True)
        ratio = median(slow / quick for slow, quick in pairs)
        label = f"{name} {given} -> {wide}, {side} x {side}"
        print(f"{label:36} {times[0]:9.1f} {times[1]:12.1f} {ratio:14.2f}", end="")
        print(f" {error(direct(x), exact):13.1e} {error(tiled(x), exact):15.1e}")
    x = torch.randn(1, 512, SIDE, SIDE).relu().to(memory_format=torch.channels_last)
    heads = {}
    for name, layers in HEADS.items():
        parts = []
        for given, wide, kernel in layers:
            kind = DirectConv if name == DIRECT else MatmulConv
            parts.append(kind(*convolution(given, wide, kernel), True))
        stack = nn.Sequential(*parts)
        heads[name] = lambda stack=stack: stack(x)
    seconds = interleaved(heads, chosen.rounds, chosen.cpu)
    for name, own in seconds.items():
        pairs = zip(seconds[DIRECT], own, strict=True)
        ratio = median(whole / part for whole, part in pairs)
        print(f"{name:36} {1000 * median(own):9.1f} ms, {ratio:.2f} times as fast")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
