import subprocess
import sys

import numpy as np
import pytest

import export_models
from fullconv.errors import MissingExtraError, WeightsError
from fullconv.export.exporters import exporters
from fullconv.export.exporters.openvino import sums_of_maps
from fullconv.inference.runtimes import runtimes

openvino = pytest.importorskip("openvino", reason="needs the extra [openvino]")
pytest.importorskip("onnxscript", reason="needs the extra [openvino]")
EXPORTER = exporters["openvino"]
RUNTIME = runtimes["openvino"]


@pytest.fixture(scope="module")
def net():
    return export_models.network()  # padding "same": small images give maps of one pixel


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("openvino") / "net.xml"
    EXPORTER.write(net, path)
    return path


def test_scores_equal_the_networks_for_any_image_and_batch_size(net, file):
    assert export_models.max_difference(net, RUNTIME.open(file).run) < 1e-5


def test_weights_are_stored_as_float32(net, file):
    # Bilinear upsampling is written as interpolation, which has no weights.
    state = net.state_dict()
    weights = sum(state[name].numel() for name in state if not name.startswith("upscore"))
    assert file.with_suffix(".bin").stat().st_size > 0.99 * 4 * weights


def test_the_files_have_no_paths_of_this_machine(file):
    for part in (file, file.with_suffix(".bin")):
        assert not export_models.names_this_machine(part.read_bytes())
    assert sorted(path.name for path in file.parent.iterdir()) == ["net.bin", "net.xml"]


def test_the_description_is_read_as_it_was_written(net, file, tmp_path):
    for suffix in (".xml", ".bin"):
        copy = tmp_path / f"net{suffix}"
        copy.write_bytes(file.with_suffix(suffix).read_bytes())
    assert RUNTIME.open(tmp_path / "net.xml").description is None
    EXPORTER.stamp(tmp_path / "net.xml", text := '{"classes": ["Straße", "a\\"b<c>&d"]}')
    opened = RUNTIME.open(tmp_path / "net.xml")
    assert opened.description == text
    assert export_models.max_difference(net, opened.run, sizes=[(9, 5)]) < 1e-5


def test_concurrent_threads_get_their_own_scores(net, file):
    from concurrent.futures import ThreadPoolExecutor

    run = RUNTIME.open(file).run
    images = [export_models.batch(1, side, 20) for side in range(10, 26)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, images))
    for image, score in zip(images, found, strict=True):
        assert np.abs(score - export_models.scores(net, image)).max() < 1e-4


def test_missing_and_damaged_files_are_refused_with_one_message(file, tmp_path):
    with pytest.raises(WeightsError, match=r"net\.xml: there is no such file"):
        RUNTIME.open(tmp_path / "net.xml")
    (tmp_path / "net.xml").write_text("<net></net>")
    with pytest.raises(WeightsError, match=r"net\.bin: there is no such file"):
        RUNTIME.open(tmp_path / "net.xml")
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match="OpenVINO cannot run it"):
        RUNTIME.open(tmp_path / "net.xml")


def test_a_missing_package_is_named(net, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fullconv\[fast\]"'):
        EXPORTER.write(net, tmp_path / "net.xml")


@pytest.mark.slow
def test_int8_scores_are_close(net, file, tmp_path):
    images = [export_models.batch(1, 40, 50), export_models.batch(1, 33, 65)]
    EXPORTER.quantize(file, tmp_path / "int8.xml", images)
    expected, found = (
        run(images[0]) for run in (lambda x: export_models.scores(net, x), _run(tmp_path))
    )
    assert 0 < np.abs(expected - found).max() / np.abs(expected).max() < 0.3
    # Sums of scores stay float32: what they read comes from no change to 8 bits.
    read = {
        op.get_friendly_name(): [one.get_node().get_type_name() for one in op.input_values()]
        for op in openvino.Core().read_model(tmp_path / "int8.xml").get_ops()
    }
    kinds = [read[name] for name in sums_of_maps(openvino.Core().read_model(file))]
    assert len(kinds) == 2 and not any("FakeQuantize" in inputs for inputs in kinds)
    assert any("FakeQuantize" in inputs for inputs in read.values())


def _run(folder):
    return RUNTIME.open(folder / "int8.xml").run


@pytest.mark.slow
def test_nncf_sends_no_telemetry():
    pytest.importorskip("nncf", reason="needs the extra [openvino]")
    code = """
from contextlib import suppress
from pathlib import Path
from fullconv.export.exporters.openvino import quantize
with suppress(RuntimeError):
    quantize(Path("absent.xml"), Path("out.xml"), [])
from nncf.telemetry import wrapper
assert type(wrapper.telemetry).__name__ == "MagicMock", type(wrapper.telemetry)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_graph_for_one_size_uses_border_skipping(tmp_path):
    net = export_models.network(padding=100)
    EXPORTER.write(net, tmp_path / "net.xml", (40, 50))
    run = RUNTIME.open(tmp_path / "net.xml").run
    assert export_models.max_difference(net, run, sizes=[(40, 50)], count=1) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"padding": 100}, {"upsampling": "unpooling"}])
def test_other_networks(settings, tmp_path):
    net = export_models.network(**settings)
    EXPORTER.write(net, tmp_path / "net.xml")
    assert export_models.max_difference(net, RUNTIME.open(tmp_path / "net.xml").run) < 1e-5
