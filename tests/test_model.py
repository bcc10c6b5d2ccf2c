"""A model file has everything that is needed to interpret its predictions."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import fullconv as fc
from fullconv.errors import ConfigError, WeightsError
from fullconv.inference.model_file import read_card
from fullconv.inference.runtimes.description import Description
from fullconv.io.images import scale_image
from fullconv.model.stored_settings import shared_settings, stored_settings

CLASSES = ("sky", "road", "<car>")


def tiny(name="fcn8s-vgg11_bn", **options):
    torch.manual_seed(0)
    network = fc.create_model(name, len(CLASSES), width=1 / 32, hidden=8, **options)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    return network


def photo(height=45, width=33):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


OPTIONS = [
    {},
    {"padding": 100, "mean": (10.0, 20.0, 30.0), "std": (2.0, 3.0, 4.0), "order": "bgr"},
    {"learn_upsampling": True, "skip_scales": (0.01, 0.0001)},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_saved_model_predicts_the_same(tmp_path, options):
    palette = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    model = fc.Model(tiny(**options), CLASSES, palette, size=(40, 40))
    model.save(tmp_path / "a.safetensors")
    again = fc.load(tmp_path / "a.safetensors")
    assert again.classes == CLASSES and again.palette == palette and again.size == (40, 40)
    assert again.network.normalization == model.network.normalization
    first, second = model.predict(photo()), again.predict(photo())
    assert torch.equal(first.score, second.score)
    learned = options.get("learn_upsampling", False)
    trained = [weight.requires_grad for weight in again.network.upscore2.parameters()]
    assert all(state is learned for state in trained) and (trained or not learned)


def test_equal_models_give_equal_bytes(tmp_path):
    for name in "ab":
        fc.Model(tiny(), CLASSES).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_header_has_classes_palette_architecture_and_normalization(tmp_path):
    fc.Model(tiny(), CLASSES).save(tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", "np") as file:
        header = json.loads(file.metadata()["fullconv"])
    assert header["classes"] == list(CLASSES) and len(header["palette"]) == 3
    assert header["architecture"]["name"] == "fcn8s-vgg11_bn"
    assert set(header["normalization"]) == {"mean", "std", "order"}


def test_float16_files_are_read(tmp_path):
    model = fc.Model(tiny(), CLASSES)
    model.save(tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        metadata = file.metadata()
    halved = {
        k: v.half() if v.is_floating_point() else v
        for k, v in load_file(tmp_path / "a.safetensors").items()
    }
    save_file(halved, tmp_path / "half.safetensors", metadata)
    prediction = fc.load(tmp_path / "half.safetensors").predict(photo())
    assert prediction.score.dtype == torch.float32
    assert torch.allclose(prediction.score, model.predict(photo()).score, atol=0.05)


def broken(change):
    def write(path):
        fc.Model(tiny(), CLASSES).save(path)
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["fullconv"])
        change(header, tensors)
        save_file(tensors, path, {"fullconv": json.dumps(header)})

    return write


WRONG = {
    "no header": lambda path: save_file({"a": torch.zeros(1)}, path),
    "no file": lambda path: None,
    "text": lambda path: path.write_bytes(b"hello world"),
    "empty": lambda path: path.write_bytes(b""),
    "unknown key": broken(lambda header, _: header.update(evil=1)),
    "huge width": broken(lambda header, _: header["architecture"].update(width=1e9)),
    "huge classes": broken(lambda header, _: header["architecture"].update(classes=10**12)),
    "another network": broken(
        lambda header, _: header["architecture"].update(name="fcn8s-vgg13_bn")
    ),
    "unknown backbone": broken(lambda header, _: header["architecture"].update(name="fcn8s-evil")),
    "no std": broken(lambda header, _: header["normalization"].update(std=[0, 0, 0])),
    "a tensor too few": broken(lambda _, tensors: tensors.pop("score_fr.weight")),
    "a tensor too many": broken(lambda _, tensors: tensors.update(extra=torch.zeros(2))),
    "a tensor too large": broken(lambda _, t: t.update({"score_fr.bias": torch.zeros(9)})),
    "too few classes": broken(
        lambda header, _: header.update(classes=["sky"], palette=[[0, 0, 0]])
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_is_not_a_model_is_refused_with_its_name(tmp_path, what):
    path = tmp_path / "model.safetensors"
    WRONG[what](path)
    with pytest.raises((WeightsError, ConfigError, LookupError)) as caught:
        fc.load(path)
    assert isinstance(caught.value, fc.FullconvError)
    if what not in ("unknown backbone", "too few classes"):
        assert "model.safetensors" in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is it a run folder"):
        fc.load(tmp_path)


def test_the_number_of_class_names_must_be_that_of_the_scores():
    with pytest.raises(ConfigError, match="2 class names for a network of 3"):
        fc.Model(tiny(), ("a", "b"))


def test_many_photos_give_a_list(tmp_path):
    model = fc.Model(tiny(), CLASSES)
    predictions = model.predict([photo(), photo(20, 30)])
    assert [one.labels.shape for one in predictions] == [(45, 33), (20, 30)]


def test_the_file_has_no_paths_of_this_machine(tmp_path):
    fc.Model(tiny(), CLASSES).save(tmp_path / "a.safetensors")
    assert str(tmp_path) not in read_card(tmp_path / "a.safetensors").model_dump_json()


@pytest.mark.parametrize("name", ["fcn8s-vgg11_bn", "fcn16s-resnet18"])
def test_loading_initializes_no_weights(tmp_path, name):
    width = 1 / 16 if "vgg" in name else 1.0
    fc.Model(fc.create_model(name, 3, width=width), ["a", "b", "c"]).save(
        tmp_path / "m.safetensors"
    )
    before = torch.get_rng_state()
    fc.load(tmp_path / "m.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


def test_tta_averages_probabilities_at_scales_of_the_models_size():
    model = fc.Model(tiny(), CLASSES, size=(24, 32), tta_scales=(0.5, 1.0))
    image = photo(48, 64)
    expected = []
    model.network.eval()
    for size in ((12, 16), (24, 32)):
        view = torch.from_numpy(scale_image(image, size)).permute(2, 0, 1)[None].float()
        for flipped in (False, True):
            with torch.inference_mode():
                score = model.network(view.flip(-1) if flipped else view)
            score = score.flip(-1) if flipped else score
            score = torch.nn.functional.interpolate(score, (48, 64), mode="bilinear")
            expected.append(score[0].double().softmax(0))
    mean = torch.stack(expected).mean(0).numpy()
    np.testing.assert_allclose(model.predict(image, tta=True).probabilities, mean, atol=1e-5)
    by_scales = model.predict([image], scales=(0.5, 1.0))[0]
    np.testing.assert_allclose(by_scales.probabilities, mean, atol=1e-5)
    assert model.size == (24, 32)


@pytest.mark.parametrize("input_scale", [0.5, 1.5])
def test_images_are_scaled_for_the_network_and_scores_back(tmp_path, input_scale):
    saved = fc.Model(tiny(), CLASSES, size=(30, 60), input_scale=input_scale)
    saved.save(tmp_path / "a.safetensors")
    model, image = fc.load(tmp_path / "a.safetensors"), photo(40, 60)
    assert model.input_scale == input_scale
    size = round(30 * input_scale), round(45 * input_scale)
    view = scale_image(image, size)
    assert np.array_equal(model.network_input(image), view)
    with torch.inference_mode():
        score = model.network(torch.from_numpy(view).permute(2, 0, 1)[None].float())
    expected = torch.nn.functional.interpolate(score, (40, 60), mode="bilinear")[0]
    found = model.predict(image)
    assert torch.equal(found.score, expected)
    assert np.array_equal(found.labels, expected.argmax(0).numpy())
    plain = model.predict(image, scales=(1.0,)).probabilities
    mirrored = model.predict(image[:, ::-1].copy()).probabilities[..., ::-1]
    np.testing.assert_allclose(plain, (found.probabilities + mirrored) / 2, atol=1e-6)
    assert f"30 x 60, scaled by {input_scale:g}" in model.protocol
    assert f"input_scale={input_scale:g}" in repr(model)


def test_the_memory_plan_counts_the_scaled_image():
    network = tiny()
    plans = [
        fc.Model(network, CLASSES, input_scale=scale).plan_memory(
            (800, 900), memory="900MiB", scales=scales
        )
        for scales in (None, (0.5, 1.0))
        for scale in (0.5, 1.0, 1.5)
    ]
    assert plans[0] < plans[1] < plans[2] and plans[3] < plans[4] < plans[5]


def test_tta_scales_are_part_of_the_file(tmp_path):
    fc.Model(tiny(), CLASSES, tta_scales=(1.0, 2.0)).save(tmp_path / "a.safetensors")
    assert fc.load(tmp_path / "a.safetensors").tta_scales == (1.0, 2.0)


@pytest.mark.parametrize("scales", [(), (0.0,), (1.0, 1.0)])
def test_bad_scales_are_refused(scales):
    with pytest.raises(ConfigError, match="expected one or more distinct numbers"):
        fc.Model(tiny(), CLASSES, tta_scales=scales)
    with pytest.raises(ConfigError, match="expected one or more distinct numbers"):
        fc.Model(tiny(), CLASSES).predict(photo(), scales=scales)


def test_with_network_keeps_everything_else():
    model = fc.Model(tiny(), CLASSES, ((1, 2, 3),) * 3, size=(9, 9), tta_scales=(2.0,))
    other = tiny()
    replaced = model.with_network(other)
    assert replaced.network is other and model.network is not other
    assert replaced.palette == ((1, 2, 3),) * 3
    assert replaced.size == (9, 9) and replaced.tta_scales == (2.0,)


def test_reprs_are_short_and_name_what_matters():
    model = fc.Model(tiny(), CLASSES, size=(40, 60))
    assert repr(model) == "Model(fcn8s-vgg11_bn, 3 classes: sky, road, <car>, size=40x60)"
    prediction = fc.Model(tiny(), CLASSES).predict(photo())
    assert repr(prediction).startswith("Prediction(45 x 33: ") and len(repr(prediction)) < 100
    assert sum(prediction.pixels) == 45 * 33


def test_scores_that_are_not_numbers_give_no_labels():
    model = fc.Model(tiny(), CLASSES)
    with torch.no_grad():
        model.network.score_fr.bias[1] = float("nan")
    for options in ({}, {"tta": True}):
        with pytest.raises(WeightsError, match="not numbers"):
            model.predict(photo(), **options)


def test_a_raster_without_data_is_255_as_in_the_files_that_predict_writes(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    from fullconv.io.rasters import BandChoice

    image = photo(40, 30).transpose(2, 0, 1).copy()
    image[image == 0] = 1
    image[:, :10] = 0
    profile = {"driver": "GTiff", "height": 40, "width": 30, "count": 3, "dtype": "uint8"}
    transform = rasterio.Affine(1, 0, 5e5, 0, -1, 4e6)
    with rasterio.open(
        tmp_path / "a.tif", "w", nodata=0, crs="EPSG:32633", transform=transform, **profile
    ) as file:
        file.write(image)
    model = fc.Model(tiny(), CLASSES, band_choice=BandChoice((1, 2, 3)))
    model.save(tmp_path / "m.safetensors")
    list(fc.batch.predict_many(tmp_path / "m.safetensors", tmp_path / "a.tif", tmp_path / "out"))
    with rasterio.open(tmp_path / "out" / "labels" / "a.tif") as file:
        expected = file.read(1)
    found = model.predict(tmp_path / "a.tif")
    assert (found.labels == expected).all() and (found.labels[:10] == 255).all()
    assert sum(found.pixels) == 30 * 30 and sum(found.areas.values()) == pytest.approx(1)
    assert found.overlay().shape[0] >= 40 and "255" not in repr(found)


def test_a_class_whose_label_would_mean_no_class_is_refused():
    names = [f"class {label}" for label in range(256)]
    network = fc.create_model("fcn32s-vgg11", classes=256, width=1 / 16, hidden=4)
    with pytest.raises(ConfigError, match=r"256 classes; expected at most 255: labels are 8-bit"):
        fc.Model(network, names)


def test_a_class_name_that_stands_twice_is_refused():
    network = fc.create_model("fcn32s-vgg11", classes=3, width=1 / 16, hidden=4)
    with pytest.raises(ConfigError, match="two classes have the name 'car'; expected different"):
        fc.Model(network, ["car", "road", "car"])


def test_a_class_name_that_is_no_text_is_refused():
    network = fc.create_model("fcn32s-vgg11", classes=2, width=1 / 16, hidden=4)
    with pytest.raises(ConfigError, match=r"the class name '\\ud800' is not valid text"):
        fc.Model(network, ["\ud800", "b"])


MISDESCRIBED = {
    "a text for the names": ({"classes": "abc"}, "classes is 'abc': expected a list"),
    "names that are a set": ({"classes": {*CLASSES}}, "a set has no order; expected a list"),
    "names that are numbers": ({"classes": [0, 1, 2]}, "classes is 0: expected a text"),
    "a name twice": ({"classes": ["a", "b", "a"]}, "two classes have the name 'a'"),
    "a colour of floats": ({"palette": [(0.1, 0.2, 0.3)] * 3}, "palette is 0.1: expected a whole"),
    "a colour above 255": ({"palette": [(300, 0, 0)] * 3}, "palette is 300: expected 255 or less"),
    "a size of nothing": ({"size": (0, 40)}, "size is 0: expected 1 or more"),
    "one side": ({"size": 40}, "size is 40: expected a list"),
    "a negative scale": ({"input_scale": -1}, "input_scale is -1: expected 0.05 or more"),
    "a text for TTA scales": ({"tta_scales": "12"}, "scales '12': expected one or more distinct"),
    "a name for the network": ({"network": "fcn8s-vgg16"}, "the network is of the type str"),
}


@pytest.mark.parametrize("case", MISDESCRIBED)
def test_what_is_no_description_of_a_model_is_refused(case):
    wrong, message = MISDESCRIBED[case]
    given = {"network": tiny("fcn32s-vgg11"), "classes": CLASSES} | wrong
    with pytest.raises(ConfigError, match=re.escape(message)):
        fc.Model(**given)


def test_a_model_is_described_by_arrays_as_by_lists():
    palette = np.array([(0, 0, 0), (1, 2, 3), (255, 0, 9)], np.uint8)
    network = tiny("fcn32s-vgg11")
    names = np.array(CLASSES)
    model = fc.Model(network, names, palette, np.array([40, 30]), tta_scales=np.array([1.0, 2]))
    assert model.classes == CLASSES and all(type(name) is str for name in model.classes)
    assert model.palette == ((0, 0, 0), (1, 2, 3), (255, 0, 9)) and model.size == (40, 30)
    assert model.tta_scales == (1.0, 2.0)


@pytest.mark.parametrize("scales", [np.array([1.0, 1.5]), (s for s in (1, 1.5)), (1, 1.5)])
def test_scales_may_come_in_any_list(scales):
    model = fc.Model(tiny("fcn32s-vgg11"), CLASSES)
    expected = model.predict(photo(), scales=[1.0, 1.5])
    assert (model.predict(photo(), scales=scales).score_array == expected.score_array).all()


@pytest.mark.parametrize("scales", ["1,2", "1", ["1"], 1.0, [1, None]])
def test_scales_that_are_no_numbers_are_refused(scales):
    model = fc.Model(tiny("fcn32s-vgg11"), CLASSES)
    with pytest.raises(ConfigError, match="expected one or more distinct numbers"):
        model.predict(photo(), scales=scales)


def test_a_file_has_the_suffix_of_its_content(tmp_path):
    model = fc.Model(tiny("fcn32s-vgg11"), CLASSES)
    with pytest.raises(ConfigError, match=r"a.pth: a model is written as .safetensors"):
        model.save(tmp_path / "a.pth")
    with pytest.raises(ConfigError, match=r"a.jpg: a prediction is written as .png"):
        model.predict(photo()).save(str(tmp_path / "a.jpg"))
    assert not any(tmp_path.iterdir())
    model.predict(photo()).save(tmp_path / "a.PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["a.PNG"]


@pytest.mark.parametrize("strength", [-0.1, 2, float("nan")])
def test_an_overlay_is_at_most_opaque(strength):
    prediction = fc.Model(tiny("fcn32s-vgg11"), CLASSES).predict(photo())
    with pytest.raises(ConfigError, match=r"strength .*: expected a number from 0 to 1"):
        prediction.overlay(strength)


def test_predictions_can_be_compared_and_kept_in_sets():
    model = fc.Model(tiny("fcn32s-vgg11"), CLASSES)
    first, second = model.predict(photo()), model.predict(photo())
    assert first == first and first != second  # they are the same object or not
    assert len({first, second}) == 2 and second in [first, second]


def test_what_all_files_store_is_in_both_of_their_kinds_and_makes_a_model():
    settings = {"size": (64, 80), "input_scale": 0.5, "tta_scales": (0.5, 1.0)}
    palette = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    model = fc.Model(tiny(), CLASSES, palette, **settings)
    stored = stored_settings(model, model.network)
    card = model.card()
    description = Description.checked(**stored, fullconv="1", protocol=model.protocol)
    for source in (card, description):
        assert {name: getattr(source, name) for name in stored} == stored
        assert shared_settings(source) == shared_settings(model)
    again = fc.Model(model.network, **shared_settings(card))
    assert shared_settings(again) == shared_settings(model)
