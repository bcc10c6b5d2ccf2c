"""A segmentation model: a network with its classes, colours and normalization."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv.data.sample import default_palette
from fullconv.errors import ConfigError, FullconvError, WeightsError
from fullconv.inference.cpu.optimize import optimize
from fullconv.inference.model_file import (
    OPTIMIZER,
    Card,
    model_file,
    read_card,
    read_tensors,
    write_file,
)
from fullconv.inference.predictor import Prediction, predict, read_source
from fullconv.inference.runtimes import is_exported
from fullconv.inference.runtimes.network import ExportedNetwork, open_exported
from fullconv.inference.tta import SCALES, check_scales, predict_averaged
from fullconv.io.palettes import Palette
from fullconv.io.rasters import BandChoice, read_raster, read_raster_header
from fullconv.networks.fcn import FCN, build


class Model:
    """A network with everything its predictions depend on: saved, loaded and predicted with.

    Args:
        network: from `create_model`, or an opened exported file.
        classes: class names, one for each score of the network.
        palette: one RGB colour per class; None for VOC's.
        size: larger images are downscaled to fit this (height, width), and the scores upsampled
            back; None to predict at full size.
        tta_scales: scales of test-time augmentation (`predict(..., tta=True)`).
        band_choice: the bands and value range of rasters; None to read them as other images.

    Raises:
        ConfigError: the number of names or colours is not that of the scores, or a scale is
            outside [0.1, 10].
    """

    def __init__(
        self,
        network: FCN | ExportedNetwork,
        classes: Sequence[str],
        palette: Palette | None = None,
        size: tuple[int, int] | None = None,
        tta_scales: Sequence[float] = SCALES,
        band_choice: BandChoice | None = None,
    ) -> None:
        # An ExportedNetwork has all of an FCN that predictions and evaluation use.
        self.network = cast(FCN, network)
        self.classes = tuple(classes)
        self.palette: Palette = tuple(palette) if palette else default_palette(self.classes)
        self.size = size
        self.tta_scales = tuple(tta_scales)
        self.band_choice = band_choice
        for what, count in (("class names", len(self.classes)), ("colours", len(self.palette))):
            if count != network.classes:
                raise ConfigError(f"{count} {what} for a network of {network.classes} scores")
        check_scales(self.tta_scales)

    @overload
    def predict(
        self,
        source: list[Any] | tuple[Any, ...],
        *,
        tta: bool = False,
        scales: Sequence[float] | None = None,
        memory: int | str | None = None,
        scores: bool = False,
    ) -> list[Prediction]: ...

    @overload
    def predict(
        self,
        source: Any,
        *,
        tta: bool = False,
        scales: Sequence[float] | None = None,
        memory: int | str | None = None,
        scores: bool = False,
    ) -> Prediction: ...

    def predict(
        self,
        source: Any,
        *,
        tta: bool = False,
        scales: Sequence[float] | None = None,
        memory: int | str | None = None,
        scores: bool = False,
    ) -> Prediction | list[Prediction]:
        """Segment an image, or each image of a list.

        Args:
            source: a path, an array (H, W, 3) of uint8 in RGB or (H, W) in grey, an 8-bit PIL
                image, or a list of these. With a `band_choice`, TIFF, PNG and JPEG files are read
                as rasters.
            tta: test-time augmentation: average the probabilities at `tta_scales`, each with and
                without horizontal flip. Slower, usually more accurate.
            scales: scales for test-time augmentation instead of `tta_scales`; implies `tta`. 1 is
                the size of a prediction without it.
            memory: limit for the computation in bytes or as "2GiB", besides the network itself;
                None for half of the free memory. Larger images are processed in parts, with the
                same result.
            scores: keep the scores even if the image is processed in parts.

        Raises:
            ImageError: `source` is not an image.
            ConfigError: scales outside [0.1, 10].
            MemoryBudgetError: `memory` is too small.
        """
        if scales is None and tta:
            scales = self.tta_scales
        if isinstance(source, list | tuple):
            return [self._predict(image, scales, memory, scores) for image in source]
        return self._predict(source, scales, memory, scores)

    def _predict(
        self, source: Any, scales: Sequence[float] | None, memory: int | str | None, scores: bool
    ) -> Prediction:
        self.network.eval()
        image = self._read(source)
        if scales is not None:
            return predict_averaged(
                self.network, image, self.classes, self.palette, self.size, scales, memory=memory
            )
        return predict(
            self.network,
            image,
            self.classes,
            self.palette,
            self.size,
            memory=memory,
            scores=scores,
        )

    def _read(self, source: Any) -> UInt8[np.ndarray, "H W 3"]:
        if self.band_choice and isinstance(source, str | Path) and read_raster_header(Path(source)):
            return read_raster(Path(source), self.band_choice)[0]
        return read_source(source)

    def optimize(self) -> "Model":
        """Prepare the network for many predictions on this CPU and return the model itself.

        See `fullconv.inference.cpu.optimize`.
        """
        optimize(self.network)
        return self

    def with_network(self, network: FCN) -> "Model":
        """Return this model with another network of the same classes."""
        model = copy.copy(self)
        model.network = network
        return model

    def save(self, path: str | Path) -> None:
        """Write the model to one .safetensors file.

        Raises:
            ConfigError: the model was opened from an exported file, which has no weights to save,
                or its network was not created by name.
            OutputError: the disk is full, or the folder cannot be written.
        """
        write_model(Path(path), self, {})

    @property
    def exported(self) -> ExportedNetwork | None:
        """The exported file that computes the scores; None for a model of ours."""
        network: nn.Module = self.network
        return network if isinstance(network, ExportedNetwork) else None

    @property
    def protocol(self) -> str:
        """The evaluation protocol, which makes metrics of this model comparable."""
        scaled = f"photos fitted into {self.size[0]} x {self.size[1]}" if self.size else "full size"
        precision = self.exported.description.precision if self.exported else "fp32"
        return (
            f"{len(self.classes)} classes; ignored pixels (255) excluded; absent classes excluded "
            f"from means; {scaled}, scored at the labels' own size; one confusion matrix over all "
            "pixels" + ("" if precision == "fp32" else f"; computed in {precision}")
        )


def load(path: str | Path) -> Model:
    """Load a model from a run folder or a file.

    Args:
        path: a run folder (its best model), a .safetensors model file, or a file that
            `fullconv export` wrote: .onnx, .xml (OpenVINO) or .pt2.

    Raises:
        WeightsError: the file is missing or damaged, or has another format.
        MissingExtraError: the runtime of an exported file is not installed.
    """
    file = model_file(Path(path))
    if is_exported(file):
        return exported_model(open_exported(file))
    card = read_card(file)
    weights = read_tensors(file)
    network = _build(card, file)
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != expected:
        raise WeightsError(f"{file}: its tensors are not those of {card.architecture.name}")
    network.load_state_dict(weights, assign=True)
    for name, parameter in network.named_parameters():
        fixed = name.startswith("upscore") and not card.architecture.learn_upsampling
        parameter.requires_grad_(not fixed)
    return Model(
        network.eval(),
        card.classes,
        card.palette,
        card.size,
        card.tta_scales,
        card.band_choice,
    )


def _build(card: Card, file: Path) -> FCN:
    """Build the network that a file describes, without initial weights.

    Raises:
        WeightsError: the description is of no network, or of one too large for this machine.
    """
    try:
        with _SkipInitialization():
            return build(card.architecture, card.normalization)
    except (FullconvError, ArithmeticError) as error:
        raise WeightsError(f"{file}: its description cannot be used: {error}") from error
    except (MemoryError, RuntimeError) as error:  # PyTorch's allocator raises RuntimeError
        raise WeightsError(
            f"{file}: its description is of a network that does not fit into memory "
            f"({card.architecture.name}, width {card.architecture.width:g})"
        ) from error


def exported_model(network: ExportedNetwork) -> Model:
    """Return the model whose predictions come from an exported file."""
    described = network.description
    return Model(
        network,
        described.classes,
        described.palette,
        described.size,
        described.tta_scales,
        described.band_choice,
    )


def write_model(path: Path, model: Model, optimizer: Mapping[str, Tensor], **training: Any) -> None:
    """Write a model atomically, with the optimizer's tensors and the state of training, if any.

    The bytes depend on the content only: equal training gives equal files.

    Raises:
        ConfigError: the model cannot be saved; see `Model.save`.
        OutputError: the disk is full, or the folder cannot be written.
    """
    tensors = dict(model.network.state_dict())
    tensors |= {OPTIMIZER + name: value for name, value in optimizer.items()}
    write_file(path, _card(model, training), tensors)


def _card(model: Model, training: Mapping[str, Any]) -> Card:
    if model.exported:
        raise ConfigError(
            f"{model.exported.path} is an exported file, which has no weights to save; save the "
            "model that it was exported from"
        )
    if model.network.architecture is None:
        raise ConfigError("only a network that create_model built can be saved as a model")
    return Card.checked(
        classes=model.classes,
        palette=model.palette,
        architecture=model.network.architecture,
        normalization=model.network.normalization,
        size=model.size,
        tta_scales=model.tta_scales,
        band_choice=model.band_choice,
        training=dict(training),
    )


# PyTorch passes these to a function mode; functions that torch.nn.init calls inside are not passed.
_INITIALIZERS = {
    Tensor.normal_,
    Tensor.uniform_,
    nn.init.kaiming_normal_,
    nn.init.kaiming_uniform_,
    nn.init.normal_,
    nn.init.trunc_normal_,
    nn.init.uniform_,
    nn.init.xavier_normal_,
    nn.init.xavier_uniform_,
}


class _SkipInitialization(TorchFunctionMode):
    """Leave new weights uninitialized, since the file's replace them: their pages stay untouched.

    The meta device would need no memory at all, but importing PyTorch's compiler for it takes
    seconds.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in _INITIALIZERS:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))
