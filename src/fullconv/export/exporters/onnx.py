"""Write ONNX files (.onnx), for ONNX Runtime and many others."""

from pathlib import Path
from typing import Any

from torch import nn

from fullconv.config import Size
from fullconv.conversion.onnx_graph import save_onnx
from fullconv.errors import require
from fullconv.export.exporters import Exporter, Images, exporters
from fullconv.export.exporters._onnx_edit import add_metadata
from fullconv.inference.runtimes import INPUT, KEY, quiet

# Convolutions are nearly all of the work; sums of scores stay float32. The range of a convolution's
# int8 output ends where the Relu or Clip (ReLU6) after it ends.
QUANTIZED = ["Conv", "MaxPool", "Relu", "Clip"]


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the network's graph and weights into one file."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, extra="", what="an ONNX file")
    save_onnx(network, path, size)


def stamp(path: Path, description: str) -> None:
    """Add the description to the file's metadata."""
    add_metadata(path, {KEY: description})


def quantize(source: Path, target: Path, images: Images) -> None:
    """Write the file in int8: static quantization, 7-bit weights per channel, QDQ nodes."""
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
            reduce_range=True,  # 8-bit weights saturate on CPUs without VNNI
            op_types_to_quantize=QUANTIZED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


exporters.register("onnx")(
    Exporter(
        suffix=".onnx",
        write=write,
        stamp=stamp,
        quantize=quantize,
    )
)
