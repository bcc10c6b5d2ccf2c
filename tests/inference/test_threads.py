"""Any number of threads predict with one model, and get what one thread gets alone."""

import copy
import multiprocessing
import os
import pickle
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import fullconv as fc
from export_models import model as exportable_model
from export_models import photos as exportable_photos
from fullconv.inference.planner import memory_cost
from random_networks import random_network

THREADS = 8
NAMES = ("a", "b", "c", "d")


@pytest.fixture(autouse=True)
def _small_numbers(monkeypatch):
    """Little beside the maps themselves, so small images are planned in parts."""
    monkeypatch.setattr(memory_cost, "FIXED", 2**18)


def photos(count, largest, seed=0):
    draw, pixels = random.Random(seed), np.random.default_rng(seed)
    sizes = [(draw.randint(1, largest), draw.randint(1, largest)) for _ in range(count)]
    return [pixels.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def tiny(name="fcn8s-vgg11_bn", **settings):
    return fc.Model(random_network(name, width=1 / 32, hidden=4, **settings), NAMES)


def from_threads(predict, images):
    """Predict the images from eight threads that start together; in the order of the images."""
    start = threading.Barrier(THREADS)

    def work(number):
        start.wait()
        return [(at, predict(images[at])) for at in range(number, len(images), THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        parts = [pair for part in pool.map(work, range(THREADS)) for pair in part]
    return [found for _, found in sorted(parts, key=lambda pair: pair[0])]


def assert_alike(model, images, expected, **options):
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    found = from_threads(lambda image: model.predict(image, scores=True, **options), images)
    for one, other in zip(found, expected, strict=True):
        assert one.plan.kind == other.plan.kind
        assert torch.equal(one.score, other.score) and (one.labels == other.labels).all()
    after = model.network.state_dict()
    assert not any(value.is_meta for value in after.values())
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("count", [16, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("settings", [{}, {"upsampling": "unpooling"}])
def test_threads_get_what_one_gets(count, settings):
    model, images = tiny(**settings), photos(count, 160)
    memory = 2**21 if "upsampling" in settings else 3 * 2**19  # larger images are cut into strips
    alone = copy.deepcopy(model)
    expected = [alone.predict(image, scores=True, memory=memory) for image in images]
    assert {one.plan.kind for one in expected} == {"whole", "strips"}
    assert_alike(model, images, expected, memory=memory)


def test_models_that_share_a_network_and_averaged_predictions():
    model, images = tiny(), photos(8, 90)
    other = fc.Model(model.network, ("e", "f", "g", "h"), size=(40, 40))
    alone = copy.deepcopy(other)
    options = {"scales": (0.5, 1.0), "memory": 2**24}
    expected = [alone.predict(image, **options).labels for image in images]
    noise = threading.Thread(target=lambda: [model.predict(i, memory=2**22) for i in images])
    noise.start()
    found = from_threads(lambda image: other.predict(image, **options).labels, images)
    noise.join()
    assert all((one == two).all() for one, two in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", ["fcn8s-vgg11_bn", "fcn32s-resnet18"])
def test_optimizing_meanwhile_changes_nothing_but_rounding(name):
    torch.manual_seed(0)
    network = random_network(name, **({"width": 1 / 32, "hidden": 4} if "vgg" in name else {}))
    model, images = fc.Model(network, NAMES), photos(16, 80)
    expected = [copy.deepcopy(model).predict(image).score for image in images]
    stop = threading.Event()

    def optimize():
        while not stop.is_set():
            model.network.optimized_backbone = None
            model.optimize()

    optimizing = threading.Thread(target=optimize)
    optimizing.start()
    try:
        found = from_threads(lambda image: model.predict(image).score, images)
    finally:
        stop.set()
        optimizing.join()
    for one, two in zip(found, expected, strict=True):
        assert (one - two).abs().max() <= 1e-4 * two.abs().max()


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2"])
def test_exported_files_answer_threads(tmp_path, suffix):
    pytest.importorskip({".onnx": "onnxruntime", ".xml": "openvino", ".pt2": "torch"}[suffix])
    from fullconv.export.export import export

    export(
        exportable_model(), tmp_path / f"m{suffix}", exportable_photos((33, 31), (45, 61), (7, 9))
    )
    model, images = fc.load(tmp_path / f"m{suffix}"), photos(24, 90)
    expected = [model.predict(image).labels for image in images]
    fresh = fc.load(tmp_path / f"m{suffix}")
    found = from_threads(lambda image: fresh.predict(image, memory="64MiB").labels, images)
    assert all((one == two).all() for one, two in zip(found, expected, strict=True))


def test_an_error_while_planning_leaves_the_network_as_it_was():
    class Failing(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(3, 4, 1)
            self.fails = True

        def forward(self, x):
            if (self.fails and not len(x)) or x.is_meta:
                raise KeyError("a bug in a layer")
            return self.layer(x)

    network = Failing().eval()
    images = photos(8, 300)
    from fullconv.inference.predictor import predict

    def attempt(image):
        with pytest.raises(KeyError):
            predict(network, image, NAMES, memory=2**21)
        return predict(network, image, NAMES).labels.shape

    assert from_threads(attempt, images) == [image.shape[:2] for image in images]
    assert not network.layer.weight.is_meta and not network.layer._forward_hooks


def test_the_facts_of_a_network_follow_its_changes():
    model, image = tiny(), photos(1, 90)[0]
    small = memory_cost.network_cost(model.network, 3)
    assert memory_cost.network_cost(model.network, 3) is small
    model.network.double()
    assert memory_cost.network_cost(model.network, 3).per_pixel > 1.5 * small.per_pixel
    model.network.float()
    assert model.predict(image).score.dtype == torch.float32


@pytest.mark.parametrize("name", ["fcn8s-vgg11_bn", "fcn32s-resnet18"])
def test_an_optimized_model_is_copied_and_pickled(name):
    network = random_network(name, **({"width": 1 / 32, "hidden": 4} if "vgg" in name else {}))
    model, image = fc.Model(network, NAMES).optimize(), photos(1, 60)[0]
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):  # noqa: S301
        assert again.network.optimized_backbone is None
        assert (again.predict(image).labels == model.predict(image).labels).all()
        assert again.optimize().network.optimized_backbone is not None


def test_an_exported_model_is_copied_and_pickled(tmp_path):
    pytest.importorskip("onnxruntime")
    from fullconv.export.export import export

    export(exportable_model(), tmp_path / "m.onnx", exportable_photos((33, 31), (45, 61), (7, 9)))
    model, image = fc.load(tmp_path / "m.onnx"), photos(1, 60)[0]
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):  # noqa: S301
        assert (again.predict(image).labels == model.predict(image).labels).all()


def _predict_in_child(model, image, queue):
    queue.put(model.predict(image).labels)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_predicts(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model, image = tiny(), photos(1, 200)[0]
        expected = model.predict(image).labels
        fork = multiprocessing.get_context("fork")
        queue = fork.Queue()
        child = fork.Process(target=_predict_in_child, args=(model, image, queue))
        child.start()
        found = queue.get(timeout=60)
        child.join(60)
        assert child.exitcode == 0 and (found == expected).all()
    finally:
        torch.set_num_threads(before)
