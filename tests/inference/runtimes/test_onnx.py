"""An .onnx file whose numbers are not finite, or are elsewhere, is refused when it is opened."""

import re
from pathlib import Path

import numpy as np
import pytest

import export_models
import fullconv as fc
from fullconv.errors import WeightsError
from fullconv.export.export import export
from fullconv.inference.runtimes.onnx import run_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "net.onnx"
    export(export_models.model("fcn32s-vgg11"), path, export_models.photos())
    return path


def changed(file, folder, change):
    made = onnx.load(file)
    change(made.graph)
    onnx.save(made, folder / "changed.onnx")
    return folder / "changed.onnx"


def with_value(graph, value, field, dtype=np.float32):
    """Put a value into the first weight, stored in this field of the tensor."""
    weight = next(t for t in graph.initializer if len(t.dims) == 4 and np.prod(t.dims) > 8)
    values = onnx.numpy_helper.to_array(weight).astype(dtype).copy()
    values.flat[7], values.flat[8] = value, -value
    stored = onnx.numpy_helper.from_array(values, weight.name)
    if field != "raw_data":
        stored.ClearField("raw_data")
        getattr(stored, field).extend(values.ravel().tolist())
    weight.CopyFrom(stored)
    return weight.name


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("field", "dtype"),
    [
        ("raw_data", np.float32),
        ("float_data", np.float32),
        ("raw_data", np.float16),
        ("double_data", np.float64),
    ],
)
def test_a_weight_that_is_not_finite_is_named(file, tmp_path, value, field, dtype):
    names = []
    path = changed(file, tmp_path, lambda g: names.append(with_value(g, value, field, dtype)))
    with pytest.raises(WeightsError, match="has values that are not finite") as caught:
        fc.load(path)
    assert names[0] in str(caught.value)


def test_a_constant_node_is_checked_too(file, tmp_path):
    def add(graph):
        value = onnx.numpy_helper.from_array(np.float32([1, np.nan]), "scale")
        graph.node.append(onnx.helper.make_node("Constant", [], ["scale"], value=value))

    with pytest.raises(WeightsError, match="scale has values that are not finite"):
        fc.load(changed(file, tmp_path, add))


def test_weights_in_another_file_are_refused(file, tmp_path):
    made = onnx.load(file)
    onnx.save(
        made, tmp_path / "net.onnx", save_as_external_data=True, location="d", size_threshold=0
    )
    with pytest.raises(WeightsError, match="values are in another file"):
        fc.load(tmp_path / "net.onnx")


@pytest.mark.parametrize("content", [b"", b"\x3a\xff\xff\xff\xff\x0f", b"<xml/>", bytes(100)])
def test_other_content_is_refused(tmp_path, content):
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"net\.onnx: not an \.onnx file"):
        fc.load(tmp_path / "net.onnx")


def test_threads_look_for_work_for_a_short_time(file, monkeypatch):
    import onnxruntime

    made, create = [], onnxruntime.InferenceSession

    def session(*args, **settings):
        made.append(create(*args, **settings))
        return made[-1]

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    fc.load(file)
    spin = "session.intra_op.spin_duration_us"
    times = [one.get_session_options().get_session_config_entry(spin) for one in made]
    assert times and all(0 < int(time) <= 100 for time in times)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")
def test_a_second_image_of_a_size_takes_no_more_memory_than_the_first(file):
    run = run_onnx(file)
    image = np.zeros((1, 3, 1600, 1600), np.float32)
    held = [_resident()]
    for _ in range(3):
        run(image)
        held.append(_resident())
    first = held[1] - held[0]
    assert first > 30e6 and held[3] - held[1] < 0.2 * first


def _resident():
    """Return the bytes that this process holds in memory."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024
