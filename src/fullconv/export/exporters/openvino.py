"""Write OpenVINO files (.xml and .bin), in float32 or int8."""

import contextlib
import io
import logging
import os
from pathlib import Path
from typing import Any

from torch import nn

from fullconv.config import Size
from fullconv.conversion.onnx_graph import save_onnx
from fullconv.errors import require
from fullconv.export.exporters import Exporter, Images, exporters
from fullconv.inference.runtimes import KEY, quiet
from fullconv.inference.runtimes.openvino import core
from fullconv.io.atomic import staging

NEEDED = {"openvino": "fast", "onnx": "", "onnxscript": ""}  # package -> extra


def write(network: nn.Module, path: Path, size: Size | None = None) -> None:
    """Write the graph (.xml) and the float32 weights (.bin)."""
    for package, extra in NEEDED.items():
        require(package, extra=extra, what="an OpenVINO file")
    import openvino

    with quiet(), staging(path) as folder:
        source = folder / "network.onnx"
        save_onnx(network, source, size)
        openvino.save_model(core().read_model(source), path, compress_to_fp16=False)


def stamp(path: Path, description: str) -> None:
    """Add the description to the runtime information in the .xml.

    It is inserted as text, so everything else stays byte-identical.
    """
    from xml.sax.saxutils import quoteattr

    text = path.read_text(encoding="utf-8")
    end = text.rindex("</net>")
    note = f"<rt_info>\n\t\t<{KEY} value={quoteattr(description)} />\n\t"
    before, found, after = text[:end].rpartition("<rt_info>")
    stamped = f"{before}{note}{after}" if found else f"{text[:end]}{note}</rt_info>\n"
    path.write_text(f"{stamped}{text[end:]}", encoding="utf-8")


def quantize(source: Path, target: Path, images: Images) -> None:
    """Write the file in int8: NNCF's post-training quantization."""
    os.environ.setdefault("NNCF_CI", "1")  # otherwise NNCF reports its use to Google Analytics
    import openvino

    with quiet(), contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        nncf = require("nncf", extra="openvino", what="int8 for OpenVINO")
        nncf.set_log_level(logging.ERROR)
        model = core().read_model(source)
        exact = nncf.IgnoredScope(names=sums_of_maps(model), types=["Interpolate"], validate=False)
        data = nncf.Dataset(list(images))
        quantized = nncf.quantize(model, data, subset_size=len(images), ignored_scope=exact)
        openvino.save_model(quantized, target, compress_to_fp16=False)


def sums_of_maps(model: Any) -> list[str]:
    """Return the names of the sums of two maps, which stay in float32, as in ONNX files.

    Scores of several strides have ranges of their own, and 256 steps for their sum are too few: on
    CamVid's model they cost 5 points of mean IoU.
    """
    return [
        op.get_friendly_name()
        for op in model.get_ops()
        if op.get_type_name() == "Add"
        and not any(_is_constant(value.get_node()) for value in op.input_values())
    ]


def _is_constant(node: Any) -> bool:
    """Return whether a node is a constant, such as a bias, or another shape of one."""
    while node.get_type_name() in ("Reshape", "Convert"):
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")


exporters.register("openvino")(
    Exporter(
        suffix=".xml",
        write=write,
        stamp=stamp,
        quantize=quantize,
        companions=(".bin",),
    )
)
