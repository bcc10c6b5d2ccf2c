"""The choice of an engine: proved equal, the fastest, cached, and never dear for few images."""

import copy
import threading

import numpy as np
import pytest
import torch

import export_models
import fullconv as fc
from fullconv.engines import cache, check_engine, choose
from fullconv.engines.choose import choose_engine
from fullconv.engines.workload import Workload
from fullconv.errors import (
    ConfigError,
    EngineError,
    ExportError,
    MissingExtraError,
    UnknownNameError,
)

FEW = Workload(images=8)


@pytest.fixture
def network():
    return export_models.network()


def test_the_fastest_engine_is_used_and_gives_the_networks_scores(doubles, network):
    image = torch.rand(1, 3, 70, 90) * 255
    with torch.inference_mode():
        expected = network(image)
        choice = choose_engine(network)
        assert choice.name == "openvino" and "3.0 times as fast as PyTorch" in choice.reason
        assert network.engine.can_run(network, image) and torch.equal(network(image), expected)


@pytest.mark.parametrize("seconds", [{"onnx": 2.8, "openvino": 3.1}, {"onnx": 9, "openvino": 9}])
def test_pytorch_stays_where_no_engine_is_clearly_faster(doubles, network, seconds):
    doubles.seconds |= seconds
    choice = choose_engine(network)
    assert choice.name == "torch" and network.engine is None
    assert "PyTorch is the fastest here" in choice.reason
    assert choose_engine(network).name == "torch" and doubles.converted == 1  # this is kept, too


@pytest.mark.parametrize("busy", [False, True])
def test_beside_other_programs_the_engine_that_they_slow_down_less_is_used(
    doubles, network, monkeypatch, busy
):
    doubles.seconds["onnx"] = 1.05
    monkeypatch.setattr(choose.OtherPrograms, "slow_this_down", lambda self: busy)
    for _ in range(2):  # measured now, and known
        assert choose_engine(network).name == ("onnx" if busy else "openvino")
        assert network.engine.name == ("onnx" if busy else "openvino")
    assert doubles.converted == 1


def test_a_network_is_converted_once_and_what_was_measured_is_used_again(doubles, network):
    first = choose_engine(network)
    opened = list(doubles.opened)
    again = copy.deepcopy(network)
    assert choose_engine(again) == first and doubles.converted == 1
    assert doubles.opened == opened, "one process opens an engine once"
    with torch.no_grad():
        again.score_fr.bias += 1
    choose_engine(again)
    assert doubles.converted == 2, "other weights are another network"


def test_few_images_pay_for_no_conversion_and_for_no_opening(doubles, network):
    assert choose_engine(network, "auto", FEW).name == "torch"
    assert doubles.converted == 0 and not doubles.opened
    choose_engine(network)
    choose._opened.clear()
    found = cache.list_cache()[0].folder
    machine = next(path for path in found.glob("*.json") if path.name != cache.ENTRY)
    measured = cache.read_measured(found, machine.stem)
    slow = measured.model_copy(update={"opening": {"onnx": 1e6, "openvino": 1e6}})
    cache.write_measured(found, machine.stem, slow)
    assert choose_engine(network, "auto", FEW).name == "torch"
    quick = measured.model_copy(update={"opening": {"onnx": 0.1, "openvino": 0.1}})
    cache.write_measured(found, machine.stem, quick)
    assert choose_engine(network, "auto", FEW).name == "openvino", "what is known is used at once"


def test_an_engine_with_other_scores_is_never_used(doubles, network):
    doubles.changed = 0.1
    choice = choose_engine(network)
    assert choice.name == "torch" and network.engine is None
    with pytest.raises(ExportError, match="scores differ from PyTorch's"):
        choose_engine(network, "onnx")


def test_an_engine_that_crashes_is_never_used(doubles, network, monkeypatch):
    def open_engine(path):
        def run(image):
            raise RuntimeError("no kernel\nof this kind")

        return run

    monkeypatch.setitem(choose._OPENERS, "openvino", open_engine)
    assert choose_engine(network).name == "onnx" and network.engine.name == "onnx"
    with pytest.raises(EngineError, match=r"OpenVINO cannot compute an image of 33 x 47 .*no k"):
        choose_engine(network, "openvino")
    monkeypatch.setitem(choose._OPENERS, "onnx", open_engine)
    choose._opened.clear()
    choice = choose_engine(network)
    assert choice.name == "torch" and "no kernel" in choice.reason


def test_an_engine_that_is_asked_for_is_used_whatever_its_speed(doubles, network):
    doubles.seconds |= {"onnx": 9.0}
    assert choose_engine(network, "onnx", FEW).name == "onnx" and network.engine.name == "onnx"
    assert choose_engine(network, "torch").name == "torch" and network.engine is None


def test_without_a_cache_pytorch_computes_and_says_so(doubles, network, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path / "file"))
    choice = choose_engine(network)
    assert choice.name == "torch" and "cache" in choice.reason and "\n" not in choice.reason
    assert choose_engine(network, "onnx").name == "onnx", "asked for, it is converted elsewhere"


def test_a_damaged_graph_is_converted_again(doubles, network):
    choose_engine(network)
    choose._opened.clear()
    graph = cache.list_cache()[0].folder / cache.GRAPH
    graph.write_bytes(b"grapH")
    assert choose_engine(network).name == "openvino" and doubles.converted == 2


def test_only_networks_created_by_name_on_the_cpu_have_other_engines(doubles, network):
    network.architecture = None
    assert choose_engine(network).name == "torch"
    with pytest.raises(ConfigError, match="not created by name"):
        choose_engine(network, "onnx")
    with pytest.raises(ConfigError, match="not float32 on the CPU"):
        choose_engine(export_models.network().double(), "onnx")


def test_names_of_engines_are_checked(monkeypatch):
    with pytest.raises(ConfigError, match="--executor ray"):
        check_engine("ray")
    with pytest.raises(UnknownNameError, match="unknown engine 'spark'"):
        check_engine("spark")
    monkeypatch.setattr("fullconv.engines.find_spec", lambda name: name != "openvino")
    with pytest.raises(MissingExtraError, match=r"fullconv\[fast\]"):
        check_engine("openvino")
    monkeypatch.setenv("FULLCONV_ENGINE", "onnx")
    assert check_engine("auto") == "onnx" and check_engine("torch") == "torch"


def test_the_engine_is_left_when_it_would_be_wrong(doubles, network):
    choose_engine(network)
    image, engine = torch.rand(1, 3, 64, 64) * 255, network.engine
    with torch.inference_mode():
        assert engine.can_run(network, image)
        assert not engine.can_run(copy.copy(network), image), "another network"
        assert not engine.can_run(network, image.double())
        assert not engine.can_run(network, image[:, :, :31]), "smaller than it was proved for"
        assert not engine.can_run(network, torch.cat([image, image]))
        assert not engine.can_run(network, image[:, :1]), "the layers refuse other channels"
        hook = network.score_fr.register_forward_hook(lambda *_: None)
        assert not engine.can_run(network, image)
        hook.remove()
        assert engine.can_run(network, image)
    assert not engine.can_run(network, image), "gradients are wanted"
    assert not engine.can_run(network.train(), image)
    with torch.no_grad():
        network.eval().score_fr.weight += 1
        assert not engine.can_run(network, image), "the weights have changed"
    assert copy.deepcopy(network).engine is None


def test_the_size_alone_decides_what_the_engine_computes(doubles, network):
    photo = export_models.photos((100, 120))[0]
    model = fc.Model(network, export_models.CLASSES)
    plain = model.predict(photo)
    model.optimize(memory=2**40)
    assert model.engine == "openvino" and model.engine_takes(photo.shape)
    assert (model.predict(photo).labels == plain.labels).all() and not model.predict(photo).note
    network.engine.most_pixels = 1  # not even for windows
    large = model.predict(photo)
    assert not model.engine_takes(photo.shape) and "computed by PyTorch" in large.note
    assert (large.labels == plain.labels).all()


def test_memory_given_is_kept_to_and_free_memory_changes_nothing(doubles, network, monkeypatch):
    model = fc.Model(network, export_models.CLASSES).optimize(memory=2**40)
    photo = export_models.photos((800, 1000))[0]
    taken = model.plan_memory(photo.shape[:2])
    monkeypatch.setattr("fullconv.inference.planner.memory_cost.free_memory", lambda: taken)
    assert model.predict(photo).plan.kind == "whole", "half of the free memory is too little"
    assert model.plan_memory(photo.shape[:2]) == taken
    assert model.predict(photo, memory=taken - 1).plan.peak <= taken


def test_memory_is_pytorchs_once_weights_have_changed(doubles, network):
    model, size = fc.Model(network, export_models.CLASSES).optimize(memory=2**40), (800, 1000)
    taken = model.plan_memory(size)
    with torch.no_grad():
        network.score_fr.bias += 1
    found = model.plan_memory(size)
    assert not model.engine_takes(size)
    network.engine = None
    assert found == model.plan_memory(size) != taken


def test_threads_share_one_engine(doubles, network):
    model = fc.Model(network, export_models.CLASSES).optimize()
    photo = export_models.photos((64, 80))[0]
    expected, found = model.predict(photo).labels, []
    threads = [
        threading.Thread(target=lambda: found.append(model.predict(photo).labels)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all((labels == expected).all() for labels in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "openvino"])
@pytest.mark.parametrize("kind", ["fcn8s-vgg11", "fcn4s-tf_efficientnet_lite0"])
def test_real_engines_are_equal_to_pytorch(name, kind, monkeypatch, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime" if name == "onnx" else name)
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    network = export_models.network(kind)
    photo = export_models.photos((101, 133))[0]
    model = fc.Model(network, export_models.CLASSES)
    plain = model.predict(photo)
    model.optimize(name)
    found = model.predict(photo)
    assert model.engine == name
    assert (found.score - plain.score).abs().max() <= 1e-5 * plain.score.abs().max()
    assert np.mean(found.labels == plain.labels) > 0.999  # ties


def test_no_network_is_converted_for_photos_that_only_pytorch_computes(doubles, network):
    photos = Workload(images=10**6, size=(15_800, 15_800))
    assert choose_engine(network, "auto", photos, memory=2**28).name == "torch"
    assert doubles.converted == 0 and not doubles.opened
    small = Workload(images=10**9, size=(360, 480))
    assert choose_engine(network, "auto", small, memory=2**30).name == "openvino"
    assert choose_engine(network, "auto", photos, memory=2**30).name == "openvino", "in windows"


def test_an_engine_without_memory_for_any_image_is_not_named(doubles, network):
    workload = Workload(images=100, at_once=16)
    choice = choose_engine(network, "onnx", workload, memory=128 * 2**20)
    assert choice.name == "torch" and choice.most_pixels == 0 and network.engine is None
    assert "128.0 MiB for 16 at once is too little" in choice.reason
