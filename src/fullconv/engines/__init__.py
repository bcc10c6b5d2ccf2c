"""The engines that can compute a network on a CPU: PyTorch, ONNX Runtime and OpenVINO.

A network is converted once into a cache, compared with itself on the spot, timed against PyTorch on
this machine, and computed by the fastest (`choose`).
"""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fullconv.errors import ConfigError, MissingExtraError, UnknownNameError

TITLES = {"torch": "PyTorch", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}
AUTO = "auto"
VARIABLE = "FULLCONV_ENGINE"  # the engine where none is asked for
_PACKAGES = {"onnx": ("onnxruntime", ""), "openvino": ("openvino", "fast")}
_CONVERTER = ("onnx", "onnxscript")


@dataclass(frozen=True)
class EngineChoice:
    """The engine that computes a network.

    Attributes:
        name: "torch", "onnx" or "openvino".
        reason: why, in one line for users; "" if there is nothing to say.
        most_pixels: pixels of the largest image that it computes at once.
        settled: False if other engines were not measured on this machine, and may be faster.
    """

    name: str = "torch"
    reason: str = ""
    most_pixels: int = 0
    settled: bool = True


def installed_engines() -> tuple[str, ...]:
    """Return the engines beside PyTorch whose packages are installed."""
    if not all(find_spec(package) for package in _CONVERTER):
        return ()
    return tuple(name for name, (package, _) in _PACKAGES.items() if find_spec(package))


def check_engine(name: str) -> str:
    """Return the name of an engine, or "auto"; "auto" becomes what `FULLCONV_ENGINE` names, if set.

    Raises:
        UnknownNameError: there is no such engine.
        ConfigError: it is a place to run at ("local", "ray"), which another option chooses.
        MissingExtraError: it is not installed.
    """
    wanted = os.environ.get(VARIABLE) or AUTO if name == AUTO else name
    if wanted in ("local", "ray"):
        raise ConfigError(
            f"--engine {wanted}: where photos are computed is chosen by --executor {wanted}; "
            f"--engine chooses what computes them: {', '.join((AUTO, *TITLES))}"
        )
    if wanted not in (AUTO, *TITLES):
        raise UnknownNameError("engine", wanted, (AUTO, *TITLES))
    if wanted in _PACKAGES and wanted not in installed_engines():
        absent = next((name for name in _CONVERTER if not find_spec(name)), None)
        package, extra = (absent, "") if absent else _PACKAGES[wanted]
        raise MissingExtraError(package, extra, f"the engine {wanted}")
    return wanted


def check_engine_of_file(name: str, path: Path, engine: str) -> None:
    """Check that the engine asked for is the one of an exported file, if one is asked for.

    Args:
        name: "auto", or the name of an engine.
        path: the exported file.
        engine: what computes it.

    Raises:
        ConfigError: another engine is asked for.
    """
    if name != AUTO and check_engine(name) != engine:
        raise ConfigError(
            f"the engine {name} cannot compute {path.name}, which is a file for {engine}; give the "
            "model that it was exported from"
        )
