"""A model of a Triton repository: REPOSITORY/NAME with config.pbtxt and 1/model.onnx."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from fullconv.config import Size
from fullconv.errors import ConfigError
from fullconv.export.targets import Target, Wanted, Written, targets
from fullconv.export.targets._folders import check_folder, write_onnx
from fullconv.inference.runtimes import INPUT, OUTPUT
from fullconv.inference.runtimes.description import Description
from fullconv.io.atomic import building, write_text

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
BATCH = 8  # images that Triton may put together
QUEUE = 32  # requests that wait; more are refused
SECONDS = 60  # that a request may wait
WARM_UP = 64  # pixels of a side of the image that a model is warmed up with


def check(path: Path, size: Size | None) -> None:
    """Check the name of the folder, which is the model's in Triton."""
    del size  # any is possible
    check_folder(path, "such as repository/street")
    if not NAME.fullmatch(path.name):
        raise ConfigError(
            f"{path}: the folder's name is the model's in Triton; expected up to 64 letters, "
            "digits, dots, hyphens and underscores"
        )


def write(wanted: Wanted) -> Written:
    """Write the folder; the file is verified before the folder gets its name."""
    with building(wanted.path) as folder:
        (folder / "1").mkdir()
        found = write_onnx(wanted, folder / "1" / "model.onnx")
        write_text(folder / "config.pbtxt", config(wanted.path.name, found))
        names = "".join(f"{name}\n" for name in found.classes)
        write_text(folder / "classes.txt", names)
    notes = (
        f"tritonserver --model-repository {wanted.path.parent}",
        "clients send photos as the network gets them: fitted and scaled by the metadata of "
        "1/model.onnx",
    )
    return Written(found.parity, notes)


def config(name: str, found: Description) -> str:
    """Return config.pbtxt of an exported file.

    Any size: Triton batches images of one size. A fixed size: one image per request.
    """
    return "\n".join(_lines(name, found)) + "\n"


def _lines(name: str, found: Description) -> Iterator[str]:
    free = found.fixed is None
    height, width = found.fixed or (-1, -1)
    first = [] if free else [1]
    yield f"name: {json.dumps(name)}"
    yield 'backend: "onnxruntime"'
    yield f"max_batch_size: {BATCH if free else 0}"
    for field, key, channels in (("input", INPUT, 3), ("output", OUTPUT, len(found.classes))):
        dims = ", ".join(map(str, [*first, channels, height, width]))
        yield f"{field} [ {{ name: {json.dumps(key)} data_type: TYPE_FP32 dims: [ {dims} ] }} ]"
    if free:
        yield "dynamic_batching {"
        yield f"  default_queue_policy {{ max_queue_size: {QUEUE} timeout_action: REJECT"
        yield f"    default_timeout_microseconds: {SECONDS * 10**6} }}"
        yield "}"
    side = max(WARM_UP, *found.least)
    sides = found.fixed or (side, side)
    dims = ", ".join(map(str, [*first, 3, *sides]))
    yield 'model_warmup [ { name: "zeros" batch_size: ' + ("1" if free else "0")
    yield f"  inputs {{ key: {json.dumps(INPUT)} value {{ data_type: TYPE_FP32"
    yield f"    dims: [ {dims} ] zero_data: true }} }} }} ]"


targets.register("triton")(
    Target("Triton: a folder of a model repository, with config.pbtxt", check, write)
)
