"""Run OpenVINO's .xml files."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from fullconv.errors import WeightsError, require
from fullconv.inference.runtimes import KEY, Opened, first_line


def open_openvino(path: Path) -> Opened:
    """Get OpenVINO ready to run a file on this processor, with as many threads as PyTorch has.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        WeightsError: it cannot run the file.
    """
    require("openvino", extra="openvino", what="an OpenVINO model")
    for part in (path, path.with_suffix(".bin")):
        if not part.is_file():
            raise WeightsError(f"{part}: there is no such file; a model is an .xml and a .bin")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # else it may take 16 bits where the processor can
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        model = _core().read_model(path)
        compiled = _core().compile_model(model, "CPU", settings)
    except Exception as error:  # RuntimeError, and what its bindings raise
        raise WeightsError(f"{path}: OpenVINO cannot run it: {first_line(error)}") from error
    mine = threading.local()

    def run(image: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
        if not hasattr(mine, "request"):  # one thread at a time may use a request
            mine.request = compiled.create_infer_request()
        result = mine.request.infer([np.ascontiguousarray(image)], share_outputs=False)
        return np.asarray(result[0])

    known = model.has_rt_info([KEY])
    return Opened(run, str(model.get_rt_info([KEY]).value) if known else None)


def _core() -> Any:
    import openvino

    return openvino.Core()
