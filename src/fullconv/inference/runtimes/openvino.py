"""Run OpenVINO's .xml files."""

import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from fullconv.errors import WeightsError, require
from fullconv.hardware import get_threads, usable_cores
from fullconv.inference.runtimes import (
    KEY,
    Opened,
    Run,
    RunStage,
    Runtime,
    check_finite,
    first_line,
    runtimes,
)

# Sizes of photos whose code is kept. OpenVINO would keep so much for thousands of sizes that it
# takes hundreds of megabytes.
SIZES = 4


def open_openvino(path: Path) -> Opened:
    """Open an .xml file and its .bin with OpenVINO on the CPU, with PyTorch's number of threads.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        WeightsError: it cannot run the file.
    """
    require("openvino", extra="fast", what="an OpenVINO model")
    for part in (path, path.with_suffix(".bin")):
        if not part.is_file():
            raise WeightsError(f"{part}: there is no such file; a model is an .xml and a .bin")
    try:
        model = core().read_model(path)
        run = _runner(_compiled(model))
    except Exception as error:  # RuntimeError, and what its bindings raise
        raise WeightsError(f"{path}: OpenVINO cannot run it: {first_line(error)}") from error
    constants = (op for op in model.get_ops() if op.get_type_name() == "Constant")
    check_finite(path, {op.get_friendly_name(): op.data for op in constants})
    described = model.has_rt_info([KEY])
    return Opened(run, str(model.get_rt_info([KEY]).value) if described else None)


def run_openvino(path: Path) -> Run:
    """Return the scores' function of an .onnx graph, whose values were checked."""
    return _runner(_compiled(core().read_model(path)))


def run_openvino_stage(content: bytes) -> RunStage:
    """Return the function of an .onnx graph with several inputs or outputs.

    It gives its memory back after each run: stages take turns, and each would keep its own.
    """
    compiled = _compiled(core().read_model(content))

    def run(inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        given = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        request = compiled.create_infer_request()
        result = request.infer(given, share_inputs=True, share_outputs=False)
        found = [np.asarray(result[at]) for at in range(len(compiled.outputs))]
        del request, result
        compiled.release_memory()
        return found

    return run


def _compiled(model: Any) -> Any:
    """Compile a model for as many images at a time as have cores of their own."""
    threads = get_threads()
    streams = max(1, usable_cores() // threads)
    kinds = Counter(op.get_type_name() for op in model.get_ops())
    del kinds["Constant"]
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # OpenVINO may otherwise compute in 16 bits
        "INFERENCE_NUM_THREADS": threads * streams,
        "NUM_STREAMS": streams,
        # its unit is a layer at one size; every kind of layer has a cache of its own
        "CPU_RUNTIME_CACHE_CAPACITY": str(SIZES * max(kinds.values())),
    }
    return core().compile_model(model, "CPU", settings)


def _runner(compiled: Any) -> Run:
    per_thread = threading.local()  # an infer request is not thread-safe

    def run(image: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
        if not hasattr(per_thread, "request"):
            per_thread.request = compiled.create_infer_request()
        given = [np.ascontiguousarray(image)]
        result = per_thread.request.infer(given, share_inputs=True, share_outputs=False)
        return np.asarray(result[0])

    return run


def core() -> Any:
    """Return a new OpenVINO core; the import takes long."""
    import openvino

    return openvino.Core()


runtimes.register("openvino")(Runtime(".xml", "OpenVINO", open_openvino))
