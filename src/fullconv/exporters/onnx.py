"""ONNX files (.onnx): run by ONNX Runtime and many others, without PyTorch and without our code."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from fullconv.config import Size
from fullconv.errors import WeightsError
from fullconv.exporters import KEY, Exporter, Images, Opened, exporters, first_line
from fullconv.exporters._graph import INPUT, OUTPUT, graph, need
from fullconv.exporters._traced import quiet

# Convolutions are nearly all of the work; sums of scores stay as precise as they were.
QUANTIZED = ["Conv", "MaxPool", "Relu"]


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the network's graph and weights into one file."""
    need(("onnx", "onnxscript", "onnxruntime"), "onnx", "an ONNX file")
    import onnx_ir

    with quiet():
        onnx_ir.save(graph(network, size), path)


def stamp(path: Path, description: str) -> None:
    """Add the description to the file's metadata.

    What is appended to a protocol buffer's bytes is added to its lists, so nothing is rewritten.
    """
    import onnx

    entry = onnx.StringStringEntryProto(key=KEY, value=description)
    with path.open("ab") as stream:
        stream.write(onnx.ModelProto(metadata_props=[entry]).SerializeToString())


def open_onnx(path: Path) -> Opened:
    """Get ONNX Runtime ready to run a file, with as many threads as PyTorch has.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        WeightsError: it cannot run the file.
    """
    need(("onnxruntime",), "onnx", "an .onnx model")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such model file")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common ancestor but this
        raise WeightsError(f"{path}: ONNX Runtime cannot run it: {first_line(error)}") from error
    if [one.name for one in session.get_inputs()] != [INPUT]:
        raise WeightsError(
            f"{path}: its input is not {INPUT!r}; `fullconv export` did not write it"
        )

    def run(image: Float[np.ndarray, "B 3 H W"]) -> Float[np.ndarray, "B K H W"]:
        scores: np.ndarray = session.run([OUTPUT], {INPUT: image})[0]
        return scores

    return Opened(run, session.get_modelmeta().custom_metadata_map.get(KEY))


def quantize(source: Path, target: Path, images: Images) -> None:
    """Write the file in int8: static quantisation, weights by channel, QDQ nodes in the graph."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(images)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self.rest, None)
            return None if image is None else {INPUT: image}

    with quiet():
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


exporters.register("onnx")(
    Exporter(
        suffix=".onnx",
        summary="ONNX Runtime and others",
        write=write,
        stamp=stamp,
        open=open_onnx,
        quantize=quantize,
    )
)
