"""Exported files as models: predict, compare and evaluate with them."""

from pathlib import Path
from typing import cast

from fullconv.errors import ConfigError
from fullconv.export.exporters import exporter_for, exporters
from fullconv.inference.runtimes import Run, Runner, _description
from fullconv.inference.runtimes.description import Description
from fullconv.model import Model, load
from fullconv.networks.fcn import FCN


class Exported(Model):
    """A model whose network is an exported file; its answers are that file's.

    Attributes:
        path: the file.
        description: what stands in it.
    """

    def __init__(self, path: Path, run: Run, description: Description) -> None:
        self.path = path
        self.description = description
        # Everything that a model is asked for while it answers, a runner can do.
        self.network = cast(
            FCN, Runner(run, len(description.classes), description.least, description.fixed)
        )
        self.classes = description.classes
        self.palette = description.palette
        self.size = description.size

    @property
    def protocol(self) -> str:
        """What any number measured with this file means."""
        precision = self.description.precision
        return super().protocol + ("" if precision == "fp32" else f"; computed in {precision}")

    def save(self, path: str | Path) -> None:
        """An exported file holds no weights that could be trained or saved again.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.path} is an exported file; save the model that it came from")


def open_model(path: str | Path) -> Model:
    """The model that a run folder, a .safetensors file or an exported file means.

    Raises:
        WeightsError: there is none, or it is damaged.
        MissingExtraError: what runs the exported file is not installed.
    """
    path = Path(path)
    return open_exported(path) if is_exported(path) else load(path)


def open_exported(path: Path) -> Exported:
    """What `fullconv export` wrote.

    Raises:
        WeightsError: it did not write this file, or the file is damaged.
        MissingExtraError: what runs the file is not installed.
    """
    opened = exporter_for(path).open(path)
    return Exported(path, opened.run, _description(path, opened.description))


def is_exported(path: Path) -> bool:
    """Whether a file's name says that it was exported."""
    suffixes = {exporters[name].suffix for name in exporters}
    return path.suffix.lower() in suffixes and not path.is_dir()
