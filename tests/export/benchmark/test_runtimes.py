from pathlib import Path

import numpy as np
import pytest
import torch

import export_models
from fullconv.config import Architecture
from fullconv.errors import ConfigError, EngineError, WeightsError
from fullconv.export.benchmark import runtimes as bench
from fullconv.export.export import describe
from fullconv.io.images import write_image

SIZE = (33, 47)


@pytest.fixture(scope="module", params=["same", 100])
def model(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "net.safetensors"
    export_models.model("fcn32s-vgg11", padding=request.param, upsampling="transposed").save(path)
    return path


def count_by_hooks(network, height, width):
    """Count the multiply-adds of all convolutions from the shapes of their outputs."""
    total = 0

    def note(layer, inputs, output):
        nonlocal total
        transposed = isinstance(layer, torch.nn.ConvTranspose2d)
        pixels = (inputs[0] if transposed else output)[0, 0].numel()
        total += pixels * layer.weight.numel()

    kinds = torch.nn.Conv2d | torch.nn.ConvTranspose2d
    for layer in network.modules():
        if isinstance(layer, kinds):
            layer.register_forward_hook(note)
    with torch.no_grad():
        network(torch.zeros(1, 3, height, width))
    return total


def test_every_variant_gives_the_same_scores_and_counts_its_multiply_adds(model):
    network = bench.load(model).network
    images = export_models.batch(1, *SIZE)
    expected = export_models.scores(network, images)
    network.sparse_padding = False
    literal = count_by_hooks(network, *SIZE)
    work = {}
    architecture = network.architecture
    for engine in bench.pytorch_engines(model, architecture):
        started = engine.start(*engine.arguments)
        np.testing.assert_allclose(started.run(images), expected, atol=1e-4 * abs(expected).max())
        work[engine.name.removeprefix("PyTorch, ")] = started.work(images)
    assert bench.full_multiply_adds(architecture)(images) == literal
    assert bench.full_multiply_adds(architecture)(np.repeat(images, 2, 0)) == 2 * literal
    if architecture.padding == "same":
        assert work == {"eager": literal, "optimized": literal}
    else:
        assert work["literal"] == literal
        assert work["eager"] < 0.8 * literal, "border skipping does not compute the padding"
        assert work["optimized"] < 0.7 * literal, "the constant border is cached"


def test_the_multiply_adds_of_an_export_are_those_of_its_graph(model):
    network = bench.load(model).network
    images = export_models.batch(1, *SIZE)
    any_size = bench.exported_multiply_adds(network.architecture, None)(images)
    one_size = bench.exported_multiply_adds(network.architecture, SIZE)(images)
    literal = bench.full_multiply_adds(network.architecture)(images)
    assert any_size < literal, "a bilinear transposed convolution is exported as interpolation"
    if network.architecture.padding == "same":
        assert one_size == any_size
    else:
        assert one_size < 0.7 * any_size


def test_an_exported_file_can_be_an_engine(tmp_path):
    model, path = tmp_path / "net.safetensors", tmp_path / "net.pt2"
    export_models.model("fcn32s-vgg11").save(model)
    bench.write_export(model, path, None)
    network, images = bench.load(model).network, export_models.batch(1, *SIZE)
    started = bench.run_file(path, network.architecture)
    expected = export_models.scores(network, images)
    np.testing.assert_allclose(started.run(images), expected, atol=1e-4 * abs(expected).max())
    with pytest.raises(WeightsError, match="description"):
        bench.run_file(path)


def test_the_engines_of_a_model(model, tmp_path, monkeypatch):
    written = []

    def write(title, start, source, path, size):
        written.append((title, path.name, size))
        if title == "OpenVINO":
            raise EngineError("OpenVINO: not installed")
        path.touch()

    monkeypatch.setattr(bench, "run_in_process", write)
    left_out: list[str] = []
    wide = bench.read_card(model).architecture.padding == 100
    own = ["PyTorch, eager", "PyTorch, optimized"]
    own = ["PyTorch, literal", *own] if wide else own
    runtimes = ["ONNX Runtime", "ONNX Runtime, one size"][: 2 if wide else 1]
    for _ in range(2):  # existing files are not written again
        found = bench.runtimes_for(model, [], tmp_path, SIZE, False, left_out)
        assert [engine.name for engine in found] == own + runtimes
    onnx = [("ONNX Runtime", "any.onnx", None), ("ONNX Runtime", "33x47.onnx", SIZE)]
    openvino = [("OpenVINO", "any.xml", None)]
    assert written == [*onnx[: 2 if wide else 1], *openvino, *openvino]
    assert left_out == ["OpenVINO: not installed"] * 2
    files = [tmp_path / "net.onnx", tmp_path / "int8.xml", tmp_path / "net.pt2"]
    found = bench.runtimes_for(model, files, None, SIZE, True, [])
    names = ["ONNX Runtime, net.onnx", "OpenVINO, int8.xml", "PyTorch, net.pt2"]
    assert [engine.name for engine in found] == [*own, "PyTorch, compiled", *names]
    found = bench.runtimes_for(files[0], files[1:], tmp_path, SIZE, False, [])
    assert [engine.name for engine in found] == names


def test_files_of_one_name_are_told_apart_and_none_is_measured_twice():
    files = [Path(name) for name in ("a/net.onnx", "b/net.onnx", "a/net.onnx", "page.html")]
    found = bench.runtimes_for(files[0], files[1:], None, SIZE, False, [])
    names = ["ONNX Runtime, a/net.onnx", "ONNX Runtime, b/net.onnx", "ONNX Runtime, page.html"]
    assert [engine.name for engine in found] == names


def test_a_file_of_one_size_gets_the_images_of_a_batch_one_by_one(tmp_path):
    pytest.importorskip("onnxruntime")
    model, path = export_models.model("fcn32s-vgg11"), tmp_path / "net.onnx"
    model.save(tmp_path / "net.safetensors")
    bench.write_export(tmp_path / "net.safetensors", path, SIZE)
    images = export_models.batch(3, *SIZE)
    found = bench.run_file(path, model.network.architecture, SIZE).run(images)
    expected = export_models.scores(model.network, images)
    np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max())
    bench.exporter_for(path).stamp(path, describe(model, fixed=SIZE).model_dump_json())
    assert np.array_equal(bench.run_file(path).run(images), found)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"net\.bin is not an exported file"):
        bench.runtimes_for(tmp_path / "net.onnx", [tmp_path / "net.bin"], None, SIZE, False, [])
    with pytest.raises(WeightsError, match="there is no such model"):
        bench.runtimes_for(tmp_path / "net.safetensors", [], None, SIZE, False, [])


def test_only_the_default_variant_asks_for_large_pages():
    engines = bench.pytorch_engines(
        Path("m"), Architecture(name="fcn8s-vgg16", classes=2, padding=100), True
    )
    asked = {engine.name: engine.environment["THP_MEM_ALLOC_ENABLE"] for engine in engines}
    assert asked.pop("PyTorch, optimized") == "1" and set(asked.values()) == {"0"}


def test_the_benchmark_image_has_the_requested_size(tmp_path):
    drawn = bench.benchmark_image(None, 700, 30)
    assert drawn.shape == (1, 3, 700, 30) and drawn.std() > 10
    photo = export_models.photos((20, 30))[0]
    write_image(tmp_path / "photo.png", photo)
    found = bench.benchmark_image(tmp_path / "photo.png", 15, 45)
    assert (found[0, :, :, :30] == photo.transpose(2, 0, 1)[:, :15]).all()
    assert (found[0, :, :, 30:] == found[0, :, :, :15]).all(), "a small photo is tiled"


def test_a_network_gets_images_in_the_layout_of_model_predict():
    seen = []

    class Scores(torch.nn.Module):
        def forward(self, image):
            seen.append(image)
            return image

    run = bench.as_function(Scores())
    images = np.arange(24, dtype=np.float32).reshape(1, 3, 2, 4)
    assert (run(images) == images).all() and (run(images) == images).all()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert seen[0] is seen[1], "it is converted once"
