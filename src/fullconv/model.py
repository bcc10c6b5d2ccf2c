"""A network with its classes, colours and normalization; load, save, predict."""

import copy
import errno
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fullconv.config import Architecture, Normalization, Settings, Size
from fullconv.data.sample import default_palette
from fullconv.errors import ConfigError, WeightsError
from fullconv.inference.cpu.optimize import optimize
from fullconv.inference.predictor import Prediction, as_image, predict
from fullconv.inference.tta import averaged
from fullconv.io.atomic import replacing
from fullconv.io.palettes import Palette
from fullconv.networks.fcn import FCN, build

HEADER = "fullconv"  # the key of our JSON in a safetensors file's header
OPTIMIZER = "optimizer."  # tensors of a checkpoint that are no weights begin so


class Card(Settings):
    """The header of a model file: all that its answers mean."""

    format: int = Field(1, ge=1, le=1)
    classes: tuple[str, ...] = Field(min_length=1, max_length=255)
    palette: tuple[tuple[int, int, int], ...] = Field(max_length=255)
    architecture: Architecture
    normalization: Normalization
    size: Size | None = None
    training: dict[str, Any] = Field(default_factory=dict)


class Model:
    """What is saved, loaded, predicted with, evaluated, exported and served.

    Args:
        network: built by `create_model`.
        classes: name of class 0, of class 1, ...
        palette: one colour a class; None is VOC's.
        size: photos are scaled down to fit into this (height, width) first; None is never.

    Raises:
        ConfigError: as many names or colours as the network has scores are needed.
    """

    def __init__(
        self,
        network: FCN,
        classes: Sequence[str],
        palette: Palette | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.network = network
        self.classes = tuple(classes)
        self.palette: Palette = tuple(palette) if palette else default_palette(self.classes)
        self.size = size
        for what, count in (("class names", len(self.classes)), ("colours", len(self.palette))):
            if count != network.classes:
                raise ConfigError(f"{count} {what} for a network of {network.classes} scores")

    @overload
    def predict(
        self,
        source: list[Any] | tuple[Any, ...],
        *,
        memory: int | str | None = None,
        scores: bool = False,
    ) -> list[Prediction]: ...

    @overload
    def predict(
        self, source: Any, *, memory: int | str | None = None, scores: bool = False
    ) -> Prediction: ...

    def predict(
        self, source: Any, *, memory: int | str | None = None, scores: bool = False
    ) -> Prediction | list[Prediction]:
        """The answer to a photo, or a list of answers to a list of them.

        Args:
            source: a path, an RGB array (H, W, 3) of uint8, or a PIL image.
            memory: what the computation may take beside the network, in bytes or as "2GiB"; None
                is half of what is free. A larger photo is answered in parts, with the same result.
            scores: keep the scores also of a photo that is answered in parts.
        """
        if isinstance(source, list | tuple):
            return [self._answer(one, memory, scores) for one in source]
        return self._answer(source, memory, scores)

    def _answer(self, source: Any, memory: int | str | None, scores: bool) -> Prediction:
        self.network.eval()
        return predict(
            self.network,
            as_image(source),
            self.classes,
            self.palette,
            self.size,
            memory=memory,
            scores=scores,
        )

    def optimize(self) -> "Model":
        """Prepare for many answers on this CPU; see `optimizing`. Gives the model itself."""
        optimize(self.network)
        return self

    def save(self, path: str | Path) -> None:
        """Write the model into one .safetensors file."""
        write_model(Path(path), self, {})

    @property
    def protocol(self) -> str:
        """What any number measured with this model means."""
        scaled = f"photos fitted into {self.size[0]} x {self.size[1]}" if self.size else "full size"
        return (
            f"{len(self.classes)} classes; void (255) left out; absent classes left out of means; "
            f"{scaled}, scored at the labels' own size; one confusion matrix over all pixels"
        )


def card(model: Model, training: Mapping[str, Any]) -> Card:
    """The header of `model`'s file.

    Raises:
        ConfigError: the network was not built by name, so that a file could not rebuild it.
    """
    if model.network.architecture is None:
        raise ConfigError("only a network that create_model built can be saved as a model")
    return Card.checked(
        classes=model.classes,
        palette=model.palette,
        architecture=model.network.architecture,
        normalization=model.network.normalization,
        size=model.size,
        training=dict(training),
    )


def write_model(path: Path, model: Model, optimizer: Mapping[str, Tensor], **training: Any) -> None:
    """Write a model, and what its training needs to go on, whole or not at all.

    The bytes follow from the content alone: equal training gives equal files.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    header = card(model, training).model_dump_json()
    tensors = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    tensors |= {OPTIMIZER + name: value.contiguous() for name, value in optimizer.items()}
    size = sum(value.nbytes for value in tensors.values()) + len(header)
    with replacing(path, size) as temporary:
        try:
            save_file(tensors, temporary, {HEADER: header})
        except SafetensorError as error:
            raise _system_error(error) from error


def _system_error(error: SafetensorError) -> OSError:
    """What the system said, which safetensors tells as text: "... (os error 28)"."""
    found = re.search(r"os error (\d+)", str(error))
    number = int(found[1]) if found else errno.EIO
    return OSError(number, os.strerror(number) if found else str(error))


def read_card(path: Path) -> Card:
    """The header of a model file.

    Raises:
        WeightsError: it is no model file.
    """
    try:
        with safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get(HEADER)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: there is no such model file") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a .safetensors file ({error})") from error
    if header is None:
        raise WeightsError(
            f"{path}: weights without a model's description; "
            "give them to `fullconv train --weights` or `fullconv convert`"
        )
    try:
        return Card.checked(**json.loads(header))
    except (ConfigError, json.JSONDecodeError, TypeError) as error:
        raise WeightsError(f"{path}: its description cannot be used: {error}") from error


def load(path: str | Path) -> Model:
    """A model from its file, or the best one of a run folder.

    Raises:
        WeightsError: there is none, or it is damaged.
    """
    file = model_file(Path(path))
    found = read_card(file)
    with _Undrawn():
        network = build(found.architecture, found.normalization)
    with safe_open(file, "pt") as tensors:
        names = [name for name in tensors.keys() if not name.startswith(OPTIMIZER)]  # noqa: SIM118
        state = {name: tensors.get_tensor(name) for name in names}
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in state.items()} != expected:
        raise WeightsError(f"{file}: its tensors are not those of {found.architecture.name}")
    network.load_state_dict({name: _single(value) for name, value in state.items()}, assign=True)
    for name, parameter in network.named_parameters():
        upscore = name.startswith("upscore")
        parameter.requires_grad_(found.architecture.learn_upsampling or not upscore)
    model = Model(network.eval(), found.classes, found.palette, found.size)
    return model


def model_file(path: Path) -> Path:
    """The model file that a run folder or a path means: best.safetensors before last.

    Raises:
        WeightsError: there is none.
    """
    if not path.is_dir():
        return path
    for name in ("best.safetensors", "last.safetensors"):
        if (path / name).is_file():
            return path / name
    raise WeightsError(f"{path} holds no best.safetensors or last.safetensors; is it a run folder?")


# PyTorch shows a mode the functions of torch.nn.init, and what they call no longer.
_DRAWING = {
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


class _Undrawn(TorchFunctionMode):
    """No random numbers for weights that are replaced at once: their memory is never touched.

    The meta device has no memory at all, but there PyTorch imports its compiler, for seconds.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in _DRAWING:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))


def _single(tensor: Tensor) -> Tensor:
    # Models may be stored in half precision; they compute in single.
    return tensor.float() if tensor.is_floating_point() else tensor


Image = UInt8[np.ndarray, "H W 3"]


def averaged_answer(
    model: Model, image: Image, scales: Sequence[float], memory: int | None = None
) -> Prediction:
    """The mean of a model's answers to a photo at several scales, as it is and mirrored.

    Args:
        model: answers each view.
        image: the photo, RGB in [0, 255].
        scales: times the size that the model answers photos at; 1 is as a plain answer sees it.
        memory: bytes that one view's computation may take; None is half of what is free.
    """
    plain = copy.copy(model)
    plain.size = None  # the views have the sizes that are wanted: fitted, all would be alike

    def score(view: Image) -> Float[Tensor, "K H W"]:
        answer = plain.predict(view, memory=memory, scores=True)
        assert answer.score is not None  # it was asked for
        return answer.score

    found = averaged(score, image, scales, size=model.size)
    return Prediction(image, found, model.classes, model.palette)
