"""Change a written .onnx file, and make one that multiplies two matrices."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fullconv.inference.runtimes import INPUT, OUTPUT, quiet

PROBABILITIES = "probabilities"
LEFT = "left"
OPSET, IR = 17, 8  # of the file of a matrix product


def add_softmax(path: Path) -> None:
    """Let a file return probabilities (B, K, H, W), in place of scores."""
    import onnx

    model = onnx.load(path)
    output = model.graph.output[0]
    softmax = onnx.helper.make_node("Softmax", [OUTPUT], [PROBABILITIES], axis=1)
    model.graph.node.append(softmax)
    output.name = PROBABILITIES
    onnx.save(model, path)


def add_metadata(path: Path, entries: Mapping[str, str]) -> None:
    """Add metadata to a file.

    Bytes appended to a protocol buffer extend its repeated fields, so nothing is rewritten.
    """
    import onnx

    props = [onnx.StringStringEntryProto(key=key, value=value) for key, value in entries.items()]
    with path.open("ab") as stream:
        stream.write(onnx.ModelProto(metadata_props=props).SerializeToString())


def probabilities(path: Path, image: Float[np.ndarray, "1 3 H W"]) -> Float[np.ndarray, "1 K H W"]:
    """Run a file that returns probabilities on one image, with ONNX Runtime."""
    import onnxruntime

    with quiet():
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        found: np.ndarray = session.run([PROBABILITIES], {INPUT: image})[0]
    return found


def matrix_product_file(operator: str, left: np.ndarray, right: np.ndarray) -> bytes:
    """Return the content of a file that multiplies a matrix `LEFT` by the weight `right`.

    Args:
        operator: "MatMul", or "MatMulInteger" for 8-bit integers, whose sums are int32.
        left: has the type and the shape of the input.
        right: the weight.
    """
    from onnx import helper, numpy_helper

    kind = helper.np_dtype_to_tensor_dtype(left.dtype)
    sums = np.dtype(np.int32) if operator == "MatMulInteger" else left.dtype
    product = helper.make_tensor_value_info("product", helper.np_dtype_to_tensor_dtype(sums), None)
    graph = helper.make_graph(
        [helper.make_node(operator, [LEFT, "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info(LEFT, kind, left.shape)],
        [product],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    content: bytes = model.SerializeToString()
    return content
