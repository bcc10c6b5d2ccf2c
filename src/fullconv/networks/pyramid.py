"""Pyramid pooling: means of a feature over windows of several sizes, beside the feature."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fullconv.networks.layers import FeatureInfo, NamedSequential

WINDOWS = (3, 5, 9, 17)  # pixels of the feature; at stride 32, 17 are more than 500 pixels


class Pyramid(nn.Module):
    """Append means over square windows to a feature, each as `width` further channels.

    As in PSPNet's pyramid pooling, whose windows are parts of the whole map. Here they slide by one
    pixel, so the result is the same in tiles, and a pixel depends on a bounded part of the image.
    At the edges only pixels of the map count.

    Args:
        maps: channels of the feature.
        width: channels of each mean.
        windows: sides of the windows, odd, in pixels of the feature, smallest first.
    """

    def __init__(self, maps: int, width: int, windows: Sequence[int] = WINDOWS) -> None:
        super().__init__()
        self.maps, self.width, self.windows = maps, width, tuple(windows)
        for window in windows:
            conv = nn.Conv2d(maps, width, 1, bias=False)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            # The convolution first: it commutes with the mean, which then has fewer channels.
            layers: list[tuple[str, nn.Module]] = [
                ("conv", conv),
                ("mean", nn.AvgPool2d(window, 1, window // 2, count_include_pad=False)),
                ("bn", nn.BatchNorm2d(width)),
                ("relu", nn.ReLU()),
            ]
            self.add_module(f"mean{window}", NamedSequential(layers))

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B D h w"]:
        """Return the feature followed by its means, of the same height and width."""
        return torch.cat([x, *(branch(x) for branch in self.children())], 1)

    def after(self, info: FeatureInfo) -> FeatureInfo:
        """Return the width and receptive field of the output for a feature."""
        widest = self.get_submodule(f"mean{self.windows[-1]}.mean")
        width = info.width + self.width * len(self.windows)
        return FeatureInfo(width, info.field.through(widest))
