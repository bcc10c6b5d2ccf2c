import subprocess
import sys

import numpy as np
import pytest

import export_models
from fullconv.errors import MissingExtraError, WeightsError
from fullconv.export.exporters import exporters
from fullconv.inference.runtimes import runtimes

pytest.importorskip("openvino", reason="needs the extra [openvino]")
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


def test_scores_equal_the_network_s_at_every_size_and_number(net, file):
    assert export_models.max_difference(net, RUNTIME.open(file).run) < 1e-5


def test_weights_keep_32_bits(net, file):
    # Bilinear upsampling is written as interpolation, which has no weights.
    state = net.state_dict()
    weights = sum(state[name].numel() for name in state if not name.startswith("upscore"))
    assert file.with_suffix(".bin").stat().st_size > 0.99 * 4 * weights


def test_the_files_name_nothing_of_this_machine(file):
    for part in (file, file.with_suffix(".bin")):
        assert not export_models.names_this_machine(part.read_bytes())
    assert sorted(path.name for path in file.parent.iterdir()) == ["net.bin", "net.xml"]


def test_a_description_goes_in_and_comes_out(net, file, tmp_path):
    for suffix in (".xml", ".bin"):
        copy = tmp_path / f"net{suffix}"
        copy.write_bytes(file.with_suffix(suffix).read_bytes())
    assert RUNTIME.open(tmp_path / "net.xml").description is None
    EXPORTER.stamp(tmp_path / "net.xml", text := '{"classes": ["Straße", "a\\"b<c>&d"]}')
    opened = RUNTIME.open(tmp_path / "net.xml")
    assert opened.description == text
    assert export_models.max_difference(net, opened.run, sizes=[(9, 5)]) < 1e-5


def test_threads_do_not_share_answers(net, file):
    from concurrent.futures import ThreadPoolExecutor

    run = RUNTIME.open(file).run
    images = [export_models.batch(1, side, 20) for side in range(10, 26)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, images))
    for image, score in zip(images, found, strict=True):
        assert np.abs(score - export_models.scores(net, image)).max() < 1e-4


def test_missing_and_damaged_files_are_refused_in_a_sentence(file, tmp_path):
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
    with pytest.raises(MissingExtraError, match=r'pip install "fullconv\[openvino\]"'):
        EXPORTER.write(net, tmp_path / "net.xml")


@pytest.mark.slow
def test_int8_is_smaller_and_close(net, file, tmp_path):
    images = [export_models.batch(1, 40, 50), export_models.batch(1, 33, 65)]
    EXPORTER.quantize(file, tmp_path / "int8.xml", images)
    expected, found = (
        run(images[0]) for run in (lambda x: export_models.scores(net, x), _run(tmp_path))
    )
    assert 0 < np.abs(expected - found).max() / np.abs(expected).max() < 0.3


def _run(folder):
    return RUNTIME.open(folder / "int8.xml").run


@pytest.mark.slow
def test_nncf_tells_nobody_that_it_is_used():
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
def test_for_one_size_the_short_cut_is_in_the_graph(tmp_path):
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
