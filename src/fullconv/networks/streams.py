"""Late fusion: one backbone for each part of the image's channels (paper, section 5, NYUDv2)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from fullconv.networks.layers import Backbone, FeatureInfo, NamedSequential
from fullconv.networks.padding import sparse


class Streams(nn.Module):
    """Backbones of the same kind side by side, whose features are concatenated.

    A score layer on the concatenated features is the sum of a score layer for each stream, so the
    scores are fused as in the authors' nyud-fcn32s-color-hha, which adds half of each stream's.

    Args:
        backbones: one for each part of the channels, of the same architecture.
        channels: of each part.
    """

    def __init__(self, backbones: Sequence[nn.Module], channels: Sequence[int]) -> None:
        super().__init__()
        self.streams = nn.ModuleList(backbones)
        self.channels = tuple(channels)
        self.sparse_padding = True  # see `FCN`

    @property
    def top(self) -> str:
        """Name of the last feature."""
        return next(self._backbones()).top

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature of an image."""
        return self.features(x, [self.top])[self.top]

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the features `names`, those of each stream after those of the one before."""
        wanted = tuple(names)
        ends = tuple(accumulate(self.channels))
        found = [
            self._stream_features(stream, x[:, end - width : end], wanted)
            for stream, width, end in zip(self._backbones(), self.channels, ends, strict=True)
        ]
        return {
            name: torch.cat([part[name] for part in found], 1) for name in dict.fromkeys(wanted)
        }

    def feature_info(self) -> dict[str, FeatureInfo]:
        """Return the width and receptive field of each feature."""
        infos = [stream.feature_info() for stream in self._backbones()]
        return {
            name: FeatureInfo(sum(info[name].width for info in infos), found.field)
            for name, found in infos[0].items()
        }

    def skip(self, stride: int) -> str | None:
        """Return the name of the feature to fuse at `stride`, or None."""
        return next(self._backbones()).skip(stride)

    def _stream_features(
        self, stream: Backbone, x: Tensor, names: Sequence[str]
    ) -> dict[str, Tensor]:
        if self.sparse_padding and isinstance(stream, NamedSequential):
            return sparse.features(stream, x, names)
        return stream.features(x, names)

    def _backbones(self) -> Iterator[Backbone]:
        return iter(self.streams)  # type: ignore[arg-type]
