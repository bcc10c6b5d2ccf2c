"""The files of models: run folders, .safetensors files, and files that other runtimes compute."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullconv.inference.exported_file import ExportedFile, open_exported
from fullconv.inference.model_file import OPTIMIZER, Card, model_file, read_card, write_file
from fullconv.inference.runtimes import is_exported
from fullconv.inference.runtimes.description import Description
from fullconv.model.segmenter import Model
from fullconv.model.stored_settings import shared_settings

if TYPE_CHECKING:
    from torch import Tensor

    from fullconv.networks.fcn import FCN


def load(path: str | Path) -> Model:
    """Load a model from a run folder or a file.

    Args:
        path: a run folder (its best model), a .safetensors model file, a file that
            `fullconv export` wrote: .onnx, .xml (OpenVINO) or .pt2; or model.safetensors of a
            repository on Hugging Face's hub: "hf://USER/REPOSITORY@REVISION".

    Raises:
        WeightsError: the file is missing or damaged, has another format, or its weights are not
            finite numbers.
        MissingExtraError: the runtime of an exported file is not installed.
    """
    file = model_file(Path(path))
    if is_exported(file):
        return exported_model(open_exported(file))
    from fullconv.inference.stored_network import read_network

    card = read_card(file)
    return _described(read_network(card, file), card)


def exported_model(file: ExportedFile) -> Model:
    """Return the model whose predictions come from an exported file."""
    return _described(file, file.description)


def write_model(
    path: Path,
    model: Model,
    optimizer: "Mapping[str, Tensor]",
    previous: Path | None = None,
    **training: Any,
) -> None:
    """Write a model atomically, with the optimizer's tensors and the state of training, if any.

    The bytes depend on the content only: equal training gives equal files.

    Raises:
        ConfigError: the model cannot be saved; see `Model.save`.
        OutputError: the disk is full, or the folder cannot be written.
    """
    card = model.card(**training)
    tensors = dict(model.network.state_dict())
    tensors |= {OPTIMIZER + name: value for name, value in optimizer.items()}
    write_file(path, card, tensors, previous)


def _described(network: "FCN | ExportedFile", card: Card | Description) -> Model:
    own: dict[str, Any] = (
        {"inputs": card.inputs, "heads": card.heads} if isinstance(card, Card) else {}
    )
    return Model(network, **shared_settings(card), **own)
