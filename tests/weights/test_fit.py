"""Weights of other programs: what is found, what is told, and what is refused."""

import argparse
import pickle
from collections import defaultdict
from pathlib import PosixPath

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fullconv.errors import WeightsError
from fullconv.model import Model
from fullconv.networks.backbones import create_classifier
from fullconv.networks.fcn import create_model
from fullconv.weights import convert_weights, load_weights, read_weights
from fullconv.weights.sources import _torch_file

TINY = {"upsampling": "transposed", "width": 1 / 16, "hidden": 8}


def tiny(name="fcn8s-vgg11", classes=3, seed=0, **options):
    torch.manual_seed(seed)
    return create_model(name, classes, **{**TINY, **options})


def state(network):
    return {name.removeprefix("backbone."): value for name, value in network.state_dict().items()}


def equal(first, second, names=None):
    one, other = state(first), state(second)
    return all(torch.equal(one[name], other[name]) for name in names or one)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pth"


NOISE = {"epoch": 3, "best": 0.5, "optimizer": {"state": {0: {"exp_avg": torch.ones(4, 4)}}}}
WRAPPED = {
    "model": lambda s: {"model": s, **NOISE},
    "model_state": lambda s: {"model_state": s, **NOISE},
    "model_state_dict": lambda s: {"model_state_dict": s, **NOISE},
    "state_dict in a checkpoint": lambda s: {"checkpoint": {"state_dict": s}, **NOISE},
    "an unusual key": lambda s: {"my_weights": s, "lr_scheduler": {"x": 1}, **NOISE},
    "net.": lambda s: {f"net.{n}": v for n, v in s.items()},
    "module. with a counter beside": lambda s: {
        "n_averaged": torch.tensor(7), **{f"module.{n}": v for n, v in s.items()}
    },
    "model.module.": lambda s: {"state_dict": {f"model.module.{n}": v for n, v in s.items()}},
    "Lightning": lambda s: {
        "state_dict": {f"model.{n}": v for n, v in s.items()} | {"loss.weight": torch.ones(3)},
        "pytorch-lightning_version": "2.0",
    },
    "an unknown prefix": lambda s: {f"my.segmenter.{n}": v for n, v in s.items()},
    "torchvision's reference": lambda s: {
        "model": {n: v + 1 for n, v in s.items()},
        "model_ema": {"n_averaged": torch.tensor(3), **{f"module.{n}": v for n, v in s.items()}},
        **NOISE,
    },
    "timm": lambda s: {"state_dict": {n: v + 1 for n, v in s.items()}, "state_dict_ema": s},
    "ema_state_dict": lambda s: {"ema_state_dict": s, "model": {n: v + 1 for n, v in s.items()}},
    "a network and its average": lambda s: {
        **{f"model.{n}": v + 1 for n, v in s.items()}, **{f"model_ema.{n}": v for n, v in s.items()}
    },
    "half precision": lambda s: {n: v.half().float().half() for n, v in s.items()},
}  # fmt: skip


# A ResNet's names follow no rule of ours; it takes seconds, so a few wrappers are enough.
NETWORKS = [("fcn8s-vgg11_bn", what) for what in WRAPPED]
NETWORKS += [("fcn32s-resnet18", what) for what in ("an unknown prefix", "Lightning", "timm")]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("name", "what"), NETWORKS)
def test_a_wrapped_network_is_loaded_whole(what, name, zipped, path):
    options = {} if "vgg" in name else {"width": 1.0, "hidden": None}
    trained, network = tiny(name, seed=1, **options), tiny(name, seed=2, **options)
    for tensor in trained.state_dict().values():
        if tensor.is_floating_point():  # so that half precision loses nothing
            tensor.copy_(tensor.half().float())
    torch.save(WRAPPED[what](state(trained)), path, _use_new_zipfile_serialization=zipped)
    report = load_weights(network, path)
    assert equal(network, trained) and not report.missing and not report.warnings
    assert any("EMA" in note for note in report.notes) == (
        what in ("torchvision's reference", "timm", "ema_state_dict", "a network and its average")
    )


def test_bookkeeping_of_other_programs_is_skipped(path):
    trained, network = tiny(seed=1), tiny(seed=2)
    extras = {
        "args": argparse.Namespace(lr=0.1, out=PosixPath("/tmp")),
        "best_acc": np.float64(0.5),
        "history": defaultdict(list, a=[1, 2]),
        "seen": {1, 2},
        "arrays": np.ones(3),
    }
    torch.save({"state_dict": state(trained), **extras}, path)
    load_weights(network, path)
    assert equal(network, trained)


@pytest.mark.parametrize("name", ["pathlib.PosixPath", "pathlib._local.WindowsPath"])
def test_paths_of_any_python_are_bookkeeping(name):
    assert _torch_file._BOOKKEEPING.fullmatch(name)  # Python 3.13 writes pathlib._local


@torch.no_grad()
def test_the_course_classifier_places_its_head_by_order_and_shape(tmp_path):
    """Paddle's Linear is (in, out), and classifier.0, .2 and .4 are what torch numbers 0, 3, 6."""
    trained = create_classifier("vgg16_bn", 5, width=1 / 16, hidden=8).eval()
    kinds = {"running_mean": "_mean", "running_var": "_variance"}
    arrays = {}
    for name, value in trained.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if kind == "num_batches_tracked":
            continue
        if layer in ("fc6", "fc7", "fc8"):
            layer = f"classifier.{2 * (int(layer[2]) - 6)}"
            value = value.reshape(value.shape[0], -1).T if kind == "weight" else value
        else:
            part, number = layer[-3:].split("_")
            layer = f"layer{part}.{int(number) - 1}.{layer[:-3]}"
        arrays[f"{layer}.{kinds.get(kind, kind)}"] = np.ascontiguousarray(value.numpy())
    path = tmp_path / "vgg16_bn.pdparams"
    path.write_bytes(pickle.dumps(arrays, protocol=2))
    assert len([name for name in arrays if name.startswith("layer")]) == 78
    network = tiny("fcn8s-vgg16_bn", seed=5)
    report = load_weights(network, path)
    assert not any(name.startswith(("conv", "bn", "fc")) for name in report.missing)
    assert set(report.left_over) == {"fc8.weight", "fc8.bias"}
    own = trained.state_dict()
    for layer in ("fc6", "fc7"):
        weight = network.state_dict()[f"backbone.{layer}.weight"]
        assert torch.equal(weight, own[f"{layer}.weight"].reshape(weight.shape))
    again = create_classifier("vgg16_bn", 5, width=1 / 16, hidden=8).eval()
    load_weights(again, path, strict=True)
    image = torch.rand(1, 3, 224, 224) * 255
    torch.testing.assert_close(again(image), trained(image))


HEADS = {
    "fc1, fc2, fc3": ("head.fc1", "head.fc2", "head.fc3"),
    "in another order": ("z.first", "b.second", "a.third"),
    "dense": ("dense_1", "dense_2", "predictions"),
    "numbered": ("classifier.1", "classifier.10", "classifier.20"),
    "under their own names": ("fc6", "fc7", "fc8"),
}


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("names", HEADS.values(), ids=HEADS)
def test_a_head_is_placed_whatever_its_names_are(names, transposed, path):
    trained = create_classifier("vgg11", 5, width=1 / 16, hidden=8)
    arrays = {}
    for name, value in trained.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if layer.startswith("fc"):
            layer = names[int(layer[2]) - 6]
            if kind == "weight":
                value = value.reshape(value.shape[0], -1)
                value = value.T.contiguous() if transposed else value
        arrays[f"{layer}.{kind}"] = value
    save_file(arrays, path)
    network = create_classifier("vgg11", 5, width=1 / 16, hidden=8)
    load_weights(network, path, strict=True)
    for name, value in trained.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


def test_another_width_is_refused_with_the_factor(path):
    torch.save(tiny(width=1 / 8).state_dict(), path)
    with pytest.raises(WeightsError, match=r"no convolution .* fits .*width is 2 times"):
        load_weights(tiny(), path)


@pytest.mark.parametrize(
    "kept", [("upscore", "score"), ("num_batches",), ("fc7",), ("conv1_1.bias",)]
)
def test_a_file_without_a_convolution_that_fits_is_refused(kept, path):
    whole = state(tiny("fcn8s-vgg11_bn", seed=1))
    torch.save({n: v for n, v in whole.items() if any(part in n for part in kept)}, path)
    network = tiny("fcn8s-vgg11_bn", seed=2)
    with pytest.raises(WeightsError):
        load_weights(network, path)
    assert equal(network, tiny("fcn8s-vgg11_bn", seed=2))


def test_a_layer_is_loaded_whole_or_not_at_all(path):
    arrays = state(tiny("fcn8s-vgg11_bn", seed=1))
    arrays["conv1_2.weight"] = torch.ones(1)  # a name of no layer
    arrays["conv1_1.weight"] = torch.ones(4, 4, 3, 3)  # images of four channels
    arrays["bn2_1.running_mean"] = torch.ones(1)
    torch.save(arrays, path)
    network, before = (tiny("fcn8s-vgg11_bn", seed=2) for _ in range(2))
    report = load_weights(network, path)
    same = ["conv1_1.bias", "bn2_1.weight", "bn2_1.running_var"]
    assert equal(network, before, same) and set(same) <= set(report.left_over)
    assert any("parts of batch norms" in text for text in report.warnings)
    assert any("7 of the backbone's 10" in text or "9 of" in text for text in report.warnings)


def test_signs_of_another_network_are_told(path):
    torch.save(state(tiny("fcn8s-vgg11_bn")), path)
    plain = load_weights(tiny("fcn8s-vgg11"), path)
    assert any("batch norms have no place" in text for text in plain.warnings)
    torch.save(state(tiny("fcn8s-vgg11")), path)
    normed = load_weights(tiny("fcn8s-vgg11_bn"), path)
    assert any("the file lacks batch norms" in text for text in normed.warnings)
    torch.save(state(tiny("fcn8s-vgg13")), path)
    deeper = load_weights(tiny("fcn8s-vgg11"), path)
    assert any("2 convolutions of the file have no place" in text for text in deeper.warnings)
    torch.save(state(tiny("fcn8s-vgg11")), path)
    assert not load_weights(tiny("fcn8s-vgg11"), path).warnings


CLASSES = ("road", "tree", "sky")


def scores(network):
    return state(network)["score_fr.weight"], state(network)["upscore8.weight"]


@pytest.fixture
def model_file(tmp_path):
    network = tiny(seed=1, learn_upsampling=True)
    torch.nn.init.normal_(network.get_submodule("upscore8").weight)
    Model(network, CLASSES).save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors", network


def test_reordered_classes_are_loaded_by_name(model_file):
    path, trained = model_file
    network = tiny(seed=2)
    report = load_weights(network, path, classes=("sky", "Road", "tree"))
    order = [2, 0, 1]
    weight, upscore = scores(network)
    assert torch.equal(weight, scores(trained)[0][order])
    assert torch.equal(upscore, scores(trained)[1][order][:, order])
    assert any("taken by name" in note for note in report.notes)


def test_new_classes_start_anew_and_known_ones_are_kept(model_file):
    path, trained = model_file
    network, before = (tiny(classes=4, seed=2) for _ in range(2))
    report = load_weights(network, path, classes=("car", "sky", "tree", "bus"))
    weight = scores(network)[0]
    assert torch.equal(weight[[1, 2]], scores(trained)[0][[2, 1]])
    assert torch.equal(weight[[0, 3]], scores(before)[0][[0, 3]])
    assert any("without scores in the file: car, bus" in note for note in report.notes)


def test_without_a_common_class_the_scores_start_anew(model_file):
    path, _ = model_file
    network, before = (tiny(seed=2) for _ in range(2))
    report = load_weights(network, path, classes=("a", "b", "c"))
    assert torch.equal(scores(network)[0], scores(before)[0])
    assert any("no class of the file (road, tree, sky)" in note for note in report.notes)


def test_the_same_classes_are_loaded_as_they_are(model_file):
    path, trained = model_file
    network = tiny(seed=2)
    report = load_weights(network, path, classes=CLASSES)
    assert equal(network, trained) and not report.warnings
    assert not any("by name" in note for note in report.notes)


@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.bool])
def test_whole_numbers_are_refused(kind, path):
    arrays = state(tiny())
    arrays["conv2_1.weight"] = (100 * arrays["conv2_1.weight"]).to(kind)
    for save in (torch.save, save_file):
        save(arrays, path)
        with pytest.raises(WeightsError, match=r"conv2_1\.weight holds whole numbers"):
            load_weights(tiny(), path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused(value, path):
    arrays = state(tiny())
    arrays["conv2_1.weight"][0, 0, 0, 0] = value
    for save in (torch.save, save_file):
        save(arrays, path)
        with pytest.raises(WeightsError, match=r"conv2_1\.weight has values that are not finite"):
            load_weights(tiny(), path)


def test_paddles_bfloat16_is_read(tmp_path):
    values = torch.randn(4, 3, 3, 3).to(torch.bfloat16)
    bits = values.view(torch.int16).numpy().view(np.uint16)
    path = tmp_path / "net.pdparams"
    path.write_bytes(pickle.dumps({"conv1_1.weight": bits}, protocol=4))
    found = read_weights(path).arrays["conv1_1.weight"]
    np.testing.assert_array_equal(found, values.float().numpy(), strict=True)


def test_two_arrays_of_one_name_are_refused(path):
    torch.save({"conv1_1.weight": torch.ones(4, 3, 3, 3), "a.weight": torch.ones(2, 2)}, path)
    assert read_weights(path).arrays.keys() == {"conv1_1.weight", "a.weight"}
    torch.save({0: torch.ones(2, 2), "0": torch.zeros(2, 2)}, path)
    with pytest.raises(WeightsError, match="two arrays have the name 0"):
        read_weights(path)


def test_converted_weights_are_equal(path, tmp_path):
    arrays = {"a.weight": torch.randn(3, 4), "n": torch.tensor(3), "b": torch.ones(2).bool()}
    torch.save(arrays, path)
    convert_weights(path, tmp_path / "o.safetensors")
    found = read_weights(tmp_path / "o.safetensors").arrays
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array.numpy(), strict=True)


def tied(count):
    large = torch.randn(1000)
    return {f"a{n}.weight": large[:900].view(30, 30) for n in range(count)}


@pytest.mark.parametrize("zipped", [True, False])
def test_tied_weights_are_read_and_many_of_one_memory_are_refused(path, zipped):
    torch.save(tied(2), path, _use_new_zipfile_serialization=zipped)
    assert len(read_weights(path).arrays) == 2
    torch.save(tied(60), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="share numbers"):
        read_weights(path)


def test_a_small_view_of_a_large_storage(path):
    large = torch.randn(100_000)
    torch.save({"a.weight": large[7:13].view(2, 3).t()}, path)
    np.testing.assert_array_equal(
        read_weights(path).arrays["a.weight"], large[7:13].view(2, 3).t().numpy()
    )


def test_layers_of_the_segmentation_head_are_not_missed_in_a_classifiers_file(path):
    classifier = create_classifier("mnasnet0_5", 10)
    torch.save(classifier.state_dict(), path)
    report = load_weights(create_model("fcn8s-mnasnet0_5", 3, context=8, skip_context=4), path)
    assert not report.warnings  # nor is the head that the network leaves out a sign of a misfit
