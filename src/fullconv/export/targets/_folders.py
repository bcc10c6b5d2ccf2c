"""What the targets share that write a folder."""

from pathlib import Path

from fullconv.errors import ConfigError
from fullconv.export.export import cpu_network, write_and_compare
from fullconv.export.exporters import exporters
from fullconv.export.targets import Wanted
from fullconv.inference.runtimes.description import Description


def check_folder(path: Path, what: str) -> None:
    """Check that a folder can be written.

    Raises:
        ConfigError: the path is a file, a folder that is not empty, or looks like a file.
    """
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists():
        raise ConfigError(f"{path} exists; expected a new folder, {what}")
    if path.suffix.lower() in (".onnx", ".safetensors", ".html", ".pt2", ".xml"):
        raise ConfigError(f"{path} is the name of a file; expected that of a folder, {what}")


def write_onnx(wanted: Wanted, path: Path) -> Description:
    """Write and verify an .onnx file in a folder that is not kept if this fails.

    Raises:
        ExportError: its scores differ by more than rounding, or the network cannot be exported.
    """
    model, exporter = wanted.model, exporters["onnx"]
    network = cpu_network(model)
    found = write_and_compare(model, network, exporter, path, wanted.photos, wanted.size)
    exporter.stamp(path, found.model_dump_json())
    return found
