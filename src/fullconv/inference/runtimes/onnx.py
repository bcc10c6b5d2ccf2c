"""Run .onnx files with ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from fullconv.errors import WeightsError, require
from fullconv.hardware import get_threads
from fullconv.inference.runtimes import (
    INPUT,
    KEY,
    OUTPUT,
    Opened,
    Run,
    RunStage,
    Runtime,
    first_line,
    runtimes,
)
from fullconv.inference.runtimes._onnx_values import check_values

SPIN = 100  # microseconds that threads look for work before they sleep, for busy machines


def open_onnx(path: Path) -> Opened:
    """Open an .onnx file with ONNX Runtime on the CPU, with PyTorch's number of threads.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        WeightsError: it cannot run the file, or its weights are not finite.
    """
    require("onnxruntime", extra="", what="an .onnx model")
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such model file")
    check_values(path)
    try:
        session = _session(path)
    except Exception as error:  # ONNX Runtime's exceptions share no other base class
        raise WeightsError(f"{path}: ONNX Runtime cannot run it: {first_line(error)}") from error
    inputs = [value.name for value in session.get_inputs()]
    if inputs != [INPUT]:
        raise WeightsError(
            f"{path}: its input is not {INPUT!r}; `fullconv export` did not write it"
        )
    return Opened(_runner(session), session.get_modelmeta().custom_metadata_map.get(KEY))


def run_onnx(path: Path) -> Run:
    """Return the scores' function of a graph without description, whose values were checked."""
    return _runner(_session(path))


def run_onnx_stage(content: bytes) -> RunStage:
    """Return the function of a graph with several inputs or outputs.

    It keeps no memory between runs: stages take turns, and each would keep an arena of its own.
    """
    session = _session(content, arena=False)
    names = [value.name for value in session.get_outputs()]

    def run(inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        found: list[np.ndarray] = session.run(names, inputs)
        return found

    return run


def _session(graph: Path | bytes, arena: bool = True) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = get_threads()
    options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN))
    options.enable_cpu_mem_arena = arena
    # Otherwise it keeps, from the second image of a size on, a second block for all maps of an
    # image: half as much memory again, and no faster.
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _runner(session: Any) -> Run:
    def run(image: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
        scores: np.ndarray = session.run([OUTPUT], {INPUT: image})[0]
        return scores

    return run


runtimes.register("onnx")(Runtime(".onnx", "ONNX Runtime", open_onnx))
