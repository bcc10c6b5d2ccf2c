"""A network with its classes, colours and sizes: what a model is, and how it is saved."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from fullconv.config import Head, Normalization
from fullconv.data.sample import default_palette
from fullconv.engines import EngineChoice
from fullconv.errors import ConfigError
from fullconv.inference.exported_file import ExportedFile
from fullconv.inference.model_file import Card, write_file
from fullconv.inference.protocol import describe_protocol
from fullconv.inference.runtimes import MODEL_SUFFIX
from fullconv.inference.tta_scales import SCALES, check_scales
from fullconv.io.atomic import check_suffix
from fullconv.io.images import ExtraInput
from fullconv.io.palettes import Palette
from fullconv.io.rasters import BandChoice
from fullconv.model.checks import Given, check_inputs, check_photos, check_scores
from fullconv.model.heads import check_choice, count_scores, find_head
from fullconv.model.stored_settings import stored_settings

if TYPE_CHECKING:
    # Exported files are predicted without PyTorch, so what needs it is imported where it is used.
    from fullconv.networks.fcn import FCN


class DescribedNetwork:
    """The network of a `Model`, with everything that its predictions depend on.

    The arguments are those of `Model`.
    """

    def __init__(
        self,
        network: "FCN | ExportedFile",
        classes: Sequence[str],
        palette: Palette | None = None,
        size: tuple[int, int] | None = None,
        tta_scales: Sequence[float] = SCALES,
        band_choice: BandChoice | None = None,
        input_scale: float = 1.0,
        inputs: Sequence[ExtraInput] = (),
        heads: Sequence[Head] = (),
    ) -> None:
        self.exported = network if isinstance(network, ExportedFile) else None
        self._network = None if isinstance(network, ExportedFile) else network
        if not hasattr(network, "classes"):
            raise ConfigError(
                f"the network is of the type {type(network).__name__}; expected one of create_model"
            )
        given = {"classes": classes, "palette": () if palette is None else palette}
        checked = Given.checked(**given, size=size, input_scale=input_scale)
        self.classes = checked.classes
        self.palette: Palette = checked.palette or default_palette(self.classes)
        self.size = checked.size
        self.tta_scales = check_scales(tta_scales)
        self.band_choice = band_choice
        self.input_scale = checked.input_scale
        self.inputs = tuple(inputs)
        self.choice = EngineChoice()
        self.heads = tuple(heads)
        check_scores(self.classes, self.palette, self.heads, network.classes)
        check_inputs(self.inputs, self.channels)

    @property
    def network(self) -> "FCN":
        """The network; of an exported file, one of PyTorch that lets its runtime compute."""
        if self._network is not None:
            return self._network
        from fullconv.inference.exported_network import exported_network

        assert self.exported is not None
        # It has all of an FCN that evaluation uses.
        return cast("FCN", exported_network(self.exported))

    @property
    def _scorer(self) -> "FCN | ExportedFile":
        """What computes the scores."""
        return self.exported if self.exported is not None else self.network

    @property
    def channels(self) -> int:
        """Channels of the image: 3, or more if the network takes others after red, green, blue."""
        normalization: Normalization = self._scorer.normalization
        return len(normalization.mean)

    def head(self, name: str) -> Self:
        """Return the model of one of several heads; the backbone is shared.

        Raises:
            UnknownNameError: there is no such head.
            ConfigError: it is an exported file, which cannot be separated.
        """
        found, first = find_head(self.heads, name)
        from fullconv.networks.fcn.heads import select_scores

        alone = self.with_network(select_scores(self.network, first, len(found.classes)))
        alone.classes, alone.palette, alone.heads = found.classes, found.palette, ()
        return alone

    def one_head(self, name: str | None) -> Self:
        """Return the model of the head that a user named, or the model itself if it has one head.

        Raises:
            UnknownNameError: there is no such head.
            ConfigError: it has several heads and none is named, or one head and one is named.
        """
        check_choice(self.heads, name)
        return self if name is None else self.head(name)

    def check_photos(self, what: str) -> None:
        """Refuse what works with plain photos and one head only.

        Raises:
            ConfigError: the network takes other channels, too, or has several heads.
        """
        check_photos(self.heads, self.channels, self.inputs, what)

    def __repr__(self) -> str:
        name = self.exported.path.name if self.exported else _network_name(self.network)
        fitted = f", size={self.size[0]}x{self.size[1]}" if self.size else ""
        fitted += f", input_scale={self.input_scale:g}" if self.input_scale != 1 else ""
        names = ", ".join([*self.classes[:5], *(["..."] if len(self.classes) > 5 else [])])
        return f"Model({name}, {len(self.classes)} classes: {names}{fitted})"

    def with_network(self, network: "FCN") -> Self:
        """Return this model with another network of the same classes."""
        model = copy.copy(self)
        model.exported, model._network = None, network
        return model

    def save(self, path: str | Path) -> None:
        """Write the model to one .safetensors file.

        Raises:
            ConfigError: the model was opened from an exported file, which has no weights to save,
                its network was not created by name, or the path has another suffix.
            OutputError: the disk is full, or the folder cannot be written.
        """
        check_suffix(path, MODEL_SUFFIX, "a model", "fullconv export writes other formats")
        write_file(Path(path), self.card(), dict(self.network.state_dict()))

    def card(self, **training: Any) -> Card:
        """Return what a model file holds beside the weights.

        Args:
            training: the state of training, if there is any.

        Raises:
            ConfigError: the model cannot be saved; see `save`.
        """
        if self.exported:
            raise ConfigError(
                f"{self.exported.path} is an exported file, which has no weights to save; save the "
                "model that it was exported from"
            )
        if self.network.architecture is None:
            raise ConfigError("only a network that create_model built can be saved as a model")
        stored = stored_settings(self, self.network)
        return Card.checked(**stored, inputs=self.inputs, heads=self.heads, training=training)

    @property
    def protocol(self) -> str:
        """The evaluation protocol, which makes metrics of this model comparable."""
        return next(iter(self.protocols().values()))

    def protocols(self, suffix: str = "") -> dict[str, str]:
        """Return the protocol of each head by its name, or of a single one by "", with a suffix."""
        counts = count_scores(self.classes, self.heads)
        precision = self.exported.description.precision if self.exported else "fp32"
        given = self.size, self.input_scale, precision
        return {name: describe_protocol(count, *given) + suffix for name, count in counts.items()}


def _network_name(network: "FCN") -> str:
    architecture = network.architecture
    return architecture.name if architecture else type(network).__name__
