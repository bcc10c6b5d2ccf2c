"""OpenVINO files (.xml and .bin): the fastest way on most processors, in float or in int8."""

import contextlib
import io
import logging
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from fullconv.config import Size
from fullconv.errors import WeightsError
from fullconv.exporters import KEY, Exporter, Images, Opened, exporters, first_line
from fullconv.exporters._graph import graph, need
from fullconv.exporters._traced import quiet

NEEDED = ("openvino", "onnx", "onnxscript")


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the graph (.xml) and the weights (.bin), as they are: 32 bits each."""
    need(NEEDED, "openvino", "an OpenVINO file")
    import onnx_ir
    import openvino

    with quiet(), tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        source = Path(folder) / "network.onnx"
        onnx_ir.save(graph(network, size), source)
        openvino.save_model(_core().read_model(source), path, compress_to_fp16=False)


def stamp(path: Path, description: str) -> None:
    """Add the description to the runtime information in the .xml.

    The attribute's value goes in as text, so nothing that was written before changes.
    """
    from xml.sax.saxutils import quoteattr

    text = path.read_text(encoding="utf-8")
    end = text.rindex("</net>")
    note = f"<rt_info>\n\t\t<{KEY} value={quoteattr(description)} />\n\t"
    before, found, behind = text[:end].rpartition("<rt_info>")
    whole = f"{before}{note}{behind}" if found else f"{text[:end]}{note}</rt_info>\n"
    path.write_text(f"{whole}{text[end:]}", encoding="utf-8")


def open_openvino(path: Path) -> Opened:
    """Get OpenVINO ready to run a file on this processor, with as many threads as PyTorch has.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        WeightsError: it cannot run the file.
    """
    need(("openvino",), "openvino", "an OpenVINO model")
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


def quantize(source: Path, target: Path, images: Images) -> None:
    """Write the file in int8: NNCF's post-training quantisation."""
    need(("nncf",), "openvino", "int8 for OpenVINO")
    os.environ.setdefault("NNCF_CI", "1")  # without it NNCF tells Google Analytics that it is used
    import openvino

    with quiet(), contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        import nncf

        nncf.set_log_level(logging.ERROR)
        quantized = nncf.quantize(
            _core().read_model(source), nncf.Dataset(list(images)), subset_size=len(images)
        )
        openvino.save_model(quantized, target, compress_to_fp16=False)


def _core() -> Any:
    import openvino

    return openvino.Core()


exporters.register("openvino")(
    Exporter(
        suffix=".xml",
        summary="OpenVINO; the weights stand beside it in a .bin",
        write=write,
        stamp=stamp,
        open=open_openvino,
        quantize=quantize,
        companions=(".bin",),
    )
)
