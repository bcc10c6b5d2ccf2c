"""The models of a server, by name."""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fullconv.engines import AUTO
from fullconv.errors import ConfigError, WeightsError
from fullconv.inference.model_file import model_file
from fullconv.inference.runtimes import is_exported
from fullconv.inference.shelf import is_shelved
from fullconv.io.atomic import scratch
from fullconv.io.value_range import ValueRange
from fullconv.model import Model, load
from fullconv.weights.fingerprint import file_fingerprint

FileState = tuple[str, int, int, int]
"""A file's path, number, size and time of change: another one after it was replaced."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class EngineOptions:
    """How the engine of each served model is chosen.

    Attributes:
        name: "auto", "torch", "onnx" or "openvino".
        at_once: photos computed at the same time.
        memory: bytes for all of them; None is a quarter of the machine's.
        measure: whether the engines of a network that is new to this machine are measured before
            the model is served; otherwise PyTorch computes it until `settle_engines` has done that.
        announce: gets a line about the engine, and one before something that takes seconds.
    """

    name: str = AUTO
    at_once: int = 1
    memory: int | None = None
    measure: bool = True
    announce: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class ServedModel:
    """A model that a server predicts with.

    Attributes:
        name: in URLs.
        model: predicts; any number of threads may use it.
        fingerprint: of its file.
        path: what it was loaded from: a file or a run folder.
        state: of the file, before it was read; None if it is not known.
        options: of the engine that computes it.
    """

    name: str
    model: Model
    fingerprint: str
    path: str = ""
    state: FileState | None = None
    options: EngineOptions = field(default_factory=EngineOptions)

    @property
    def is_folder(self) -> bool:
        """Whether it was loaded from a run folder."""
        return self.path != "" and os.path.isdir(self.path)

    @property
    def engine(self) -> str:
        """What computes it: torch, onnx, openvino, ..., the suffix of an exported file."""
        exported = self.model.exported
        return exported.path.suffix[1:] if exported else self.model.engine

    @property
    def precision(self) -> str:
        """The precision of its weights: fp32 or int8."""
        exported = self.model.exported
        return exported.description.precision if exported else "fp32"

    @property
    def value_range(self) -> ValueRange | None:
        """The values that become black and white in photos with more than 8 bits."""
        choice = self.model.band_choice
        return choice.value_range if choice else None

    def describe(self) -> dict[str, Any]:
        """Return what clients are told of the model, for JSON."""
        model, exported = self.model, self.model.exported
        parity = exported.description.parity if exported else None
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "classes": list(model.classes),
            "palette": [list(color) for color in model.palette],
            "size": list(model.size) if model.size else None,
            "input_scale": model.input_scale,
            "value_range": list(self.value_range) if self.value_range else None,
            "tta_scales": list(model.tta_scales),
            "engine": self.engine,
            "precision": self.precision,
            # Of an exported file: how far its scores are from its network's.
            "parity": parity.model_dump(mode="json") if parity else None,
            "protocol": model.protocol,
        }


def open_models(
    sources: Sequence[str], device: str = "cpu", engine: EngineOptions | None = None
) -> dict[str, ServedModel]:
    """Load models and prepare them for many predictions.

    Args:
        sources: run folders or model files, each with a name or without: "street=model.onnx".
        device: "cpu", "cuda", ...
        engine: what computes them on a CPU; None is the fastest.

    Returns:
        The models by name, in order: the name of the file or folder where none is given.

    Raises:
        ConfigError: no source, a name that cannot stand in a URL, one that two models have, or a
            model of rasters' bands.
        WeightsError: a file cannot be read.
    """
    if not sources:
        raise ConfigError("no model to serve; expected a run folder or a model file")
    served: dict[str, ServedModel] = {}
    for source in sources:
        name, path = _split(source)
        if name in served:
            raise ConfigError(f"two models are called {name!r}; name one of them: NAME={path}")
        served[name] = open_served_model(name, path, device, engine)
    return served


def open_served_model(
    name: str, path: str, device: str = "cpu", engine: EngineOptions | None = None
) -> ServedModel:
    """Load one model and prepare it for many predictions.

    Raises:
        ConfigError: it reads rasters' bands.
        WeightsError: its file cannot be read.
    """
    state = file_state(path)
    model, fingerprint = _load_copy(path) if os.path.isdir(path) else _load(path)
    if model.band_choice and model.band_choice.is_explicit:
        raise ConfigError(
            f"{path} reads bands of rasters ({model.band_choice}), which the server does not; use "
            "`fullconv predict`"
        )
    options = engine or EngineOptions()
    if model.exported is not None:
        model.optimize(options.name)  # checks that it is the file's
    else:
        optimize_served(name, model, device, options)
    return ServedModel(name, model, fingerprint, path, state, options)


def are_exported(sources: Sequence[str]) -> bool:
    """Return whether all models are exported files, which need no PyTorch.

    Raises:
        ConfigError: see `open_models`.
        WeightsError: there is no such file.
    """
    return all(is_exported(Path(_split(source)[1])) for source in sources)


def optimize_served(name: str, model: Model, device: str, options: EngineOptions) -> None:
    """Move a network to its device, and choose what computes it there."""
    from fullconv.engines.workload import Workload  # imports PyTorch

    model.network.to(device).eval()
    model.optimize(
        options.name,
        Workload(at_once=options.at_once),
        memory=options.memory,
        measure=options.measure,
        announce=options.announce,
    )
    if model.choice.reason:
        options.announce(f"engine  {name}: {model.choice.reason}")


def _load(path: str) -> tuple[Model, str]:
    """Return a model and its fingerprint."""
    fingerprint = file_fingerprint(path)
    model = load(path)
    model.check_photos("fullconv serve")
    if model.exported is None:
        # Weights are read from the mapped file as they are needed; who overwrites it in place
        # would change them, or end this process.
        for tensor in (*model.network.parameters(), *model.network.buffers()):
            tensor.data = tensor.data.clone()
    return model, fingerprint


def _load_copy(folder: str) -> tuple[Model, str]:
    """Return the model of a run folder; its training may replace the file meanwhile.

    Raises:
        WeightsError: the file is damaged.
    """
    file = model_file(Path(folder))
    with scratch() as place:
        copy = place / file.name
        try:
            shutil.copyfile(file, copy)
            return _load(str(copy))
        except WeightsError as error:
            raise WeightsError(str(error).replace(str(copy), str(file))) from error
        except OSError as error:
            raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error


def file_state(path: str) -> FileState | None:
    """Return the state of a model's file; None if there is none now."""
    try:
        file = model_file(Path(path))
        found = file.stat()
    except (OSError, WeightsError):
        return None
    return str(file), found.st_ino, found.st_size, found.st_mtime_ns


def _split(source: str) -> tuple[str, str]:
    """Return name and path of a source; a path that exists is no NAME=PATH."""
    given, sign, path = source.partition("=")
    if sign and not Path(source).exists():
        if not NAME.fullmatch(given):
            raise ConfigError(
                f"the model name {given!r} cannot stand in a URL; expected up to 64 letters, "
                "digits, dots, hyphens and underscores"
            )
        return given, path
    if is_shelved(source):
        return source, source
    where = Path(source)
    stem = where.resolve().name if where.is_dir() else model_file(where).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "model", source
