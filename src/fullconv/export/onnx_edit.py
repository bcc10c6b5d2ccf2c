"""Change a written .onnx file: a softmax at the end, metadata, and what it returns then."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fullconv.inference.runtimes import INPUT, OUTPUT, quiet

PROBABILITIES = "probabilities"


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
