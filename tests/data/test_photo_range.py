"""Photos with more than 8 bits are scaled by one range, from the training set, wherever they go."""

import numpy as np
import pytest
import torch
from PIL import Image

import fullconv as fc
from fullconv.batch.predict import predict_many
from fullconv.cli import run
from fullconv.data.checks import examine
from fullconv.data.formats import open_data
from fullconv.errors import DataError, ImageError
from fullconv.evaluation.scored_samples import score_samples
from fullconv.io.images import read_mask
from fullconv.io.rasters import BandChoice

SIZE = (24, 32)
SPLITS = {"train": ("a", "b", "c"), "val": ("d", "e")}


def raw_values(name, low=200, high=3000, kind=np.uint16):
    """A picture whose bright half is class 1."""
    random = np.random.default_rng(ord(name))
    bright = np.indices(SIZE)[1] >= SIZE[1] // 2
    return (low + (high - low) * (0.2 + 0.5 * bright + 0.3 * random.random(SIZE))).astype(kind)


def write_set(folder, photos):
    """Write photos (name -> array), their masks, lists and classes."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    labels = (np.indices(SIZE)[1] >= SIZE[1] // 2).astype(np.uint8)
    for name, array in photos.items():
        suffix = ".tif" if array.dtype == np.float32 else ".png"
        Image.fromarray(array).save(folder / "images" / f"{name}{suffix}")
        Image.fromarray(labels).save(folder / "masks" / f"{name}.png")
    (folder / "classes.txt").write_text("dark\nbright\n")
    for split, names in SPLITS.items():
        (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    return str(folder)


def deep_set(folder, **options):
    names = [name for part in SPLITS.values() for name in part]
    return write_set(folder, {name: raw_values(name, **options) for name in names})


def scaled(raw, low, high):
    share = np.clip((raw.astype(np.float64) - low) / (high - low), 0, 1)
    return np.repeat(np.rint(share * 255)[..., None], 3, 2)


def tiny_model(data):
    torch.manual_seed(0)
    network = fc.create_model("fcn32s-vgg11", 2, width=1 / 32, hidden=4)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    return fc.Model(network, data.classes, data.palette, band_choice=data.band_choice)


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_the_range_is_that_of_the_training_photos(tmp_path, kind):
    source = deep_set(tmp_path / "set", kind=kind)
    pooled = np.concatenate([raw_values(name, kind=kind).ravel() for name in SPLITS["train"]])
    low, high = np.quantile(pooled.astype(np.float64), (0.001, 0.999), method="nearest")
    for split in ("train", "val", None):
        data = open_data(source, split)
        assert data.band_choice == BandChoice(None, (low, high), keep_8_bit=True)
        assert not data.warnings
        for sample in data:
            assert np.array_equal(
                sample.image, scaled(raw_values(sample.name, kind=kind), low, high)
            )
            assert sample.image.dtype == np.uint8


def test_dead_and_glaring_pixels_do_not_change_the_range(tmp_path):
    plain = open_data(deep_set(tmp_path / "plain"), "train").band_choice.value_range
    source = deep_set(tmp_path / "hot")
    values = raw_values("a")
    values[0, 0], values[5, 5] = 0, 65535
    Image.fromarray(values).save(tmp_path / "hot" / "images" / "a.png")
    hot = open_data(source, "train").band_choice.value_range
    assert np.allclose(plain, hot, atol=30)


def test_8_bit_photos_among_deeper_ones_stay_and_are_pointed_out(tmp_path):
    folder = tmp_path / "set"
    deep_set(folder)
    flat = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)
    Image.fromarray(flat).save(folder / "images" / "b.png")
    data = open_data(folder, "train")
    assert (data[1].image == flat[..., None]).all()
    assert "1 of 3 photos of train with 8 bits" in data.warnings[0]
    found = examine(str(folder), workers=1)
    mixed = [finding for finding in found.findings if finding.code == "mixed-depth"]
    assert [finding.file for finding in mixed] == ["images/b.png"] and not found.of("error")


def test_a_deep_photo_is_refused_where_train_has_8_bits(tmp_path):
    flat = {name: (raw_values(name) // 16).astype(np.uint8) for name in "abce"}
    source = write_set(tmp_path / "set", flat | {"d": raw_values("d")})
    assert open_data(source, "val").band_choice is None
    with pytest.raises(ImageError, match=r"set, d: a photo with more than 8 bits.*no value range"):
        list(open_data(source, "val"))
    assert [finding.file for finding in examine(source, workers=1).of("error")] == ["images/d.png"]


def test_only_the_splits_own_photos_decide_for_check_as_for_training(tmp_path):
    source = deep_set(tmp_path / "set")
    chosen = open_data(source, "train").band_choice
    for split in (None, "train", "val"):
        survey = examine(source, split, workers=1).survey
        assert survey.band_choice == chosen
        sample = survey.data(split or "train")[0]
        assert np.array_equal(sample.image, open_data(source, split or "train")[0].image)


def test_an_evaluation_scales_as_in_the_models_training(tmp_path):
    model = tiny_model(open_data(deep_set(tmp_path / "one"), "train"))
    other = open_data(deep_set(tmp_path / "two", low=0, high=5000), "val")
    assert other.band_choice != model.band_choice
    for sample, scored in zip(other, score_samples(model, other), strict=True):
        raw = raw_values(sample.name, 0, 5000)
        assert np.array_equal(scored.sample.image, scaled(raw, *model.band_choice.value_range))
        assert not np.array_equal(scored.sample.image, sample.image)
    model.band_choice = None
    with pytest.raises(ImageError, match="no value range"):
        fc.evaluate(model, other)


def test_every_way_to_predict_scales_alike(tmp_path):
    source = deep_set(tmp_path / "set")
    model = tiny_model(open_data(source, "train"))
    model.save(tmp_path / "m.safetensors")
    loaded = fc.load(tmp_path / "m.safetensors")
    assert loaded.band_choice == model.band_choice
    path, raw = tmp_path / "set" / "images" / "d.png", raw_values("d")
    shown = scaled(raw, *model.band_choice.value_range).astype(np.uint8)
    expected = loaded.predict(shown)
    with Image.open(path) as picture:
        given = [path, path.read_bytes(), picture, raw, raw.astype(np.float32), raw.astype(int)]
        frozen = raw.copy()
        frozen.flags.writeable = False
        for one in (*given, frozen, np.stack([raw] * 3, 2)):
            found = loaded.predict(one)
            assert np.array_equal(found.image, shown)
            assert torch.equal(found.score, expected.score)
    averaged = loaded.predict(path, tta=True)
    assert torch.equal(averaged.score, loaded.predict(shown, tta=True).score)
    assert len([*predict_many(tmp_path / "m.safetensors", path, tmp_path / "out")]) == 1
    written = next((tmp_path / "out" / "labels").glob("*.png"))
    assert np.array_equal(read_mask(written), expected.labels)
    assert np.array_equal(loaded.predict(shown // 2).image, shown // 2)  # 8 bits stay


def test_arrays_and_photos_are_refused_without_a_range_or_on_another_scale(tmp_path):
    source = deep_set(tmp_path / "set")
    model = tiny_model(open_data(source, "train"))
    with pytest.raises(ImageError, match=r"values in \[0, 1\]; expected values as in the training"):
        model.predict(np.random.default_rng(0).random(SIZE))
    with pytest.raises(ImageError, match="type bool"):
        model.predict(np.zeros(SIZE, bool))
    model.band_choice = None
    with pytest.raises(ImageError, match=r"uint16.*the model has no value range"):
        model.predict(raw_values("a"))
    with pytest.raises(ImageError, match=r"a\.png: a photo with more than 8 bits"):
        model.predict(tmp_path / "set" / "images" / "a.png")


def test_training_stores_the_range_and_check_prints_it(tmp_path, capsys):
    source = deep_set(tmp_path / "set")
    low, high = open_data(source, "train").band_choice.value_range
    assert run(["check", source, "--out", str(tmp_path / "runs")]) == 0
    assert f"{low:g} becomes black and {high:g} white" in capsys.readouterr().out
    tiny = ("--model", "fcn32s-vgg11", "--width", "0.03125", "--hidden", "4", "--weights", "none")
    options = (*tiny, "--steps", "2", "--batch", "1", "--out", str(tmp_path / "runs"))
    assert run(["train", source, *options, "--name", "deep"]) == 0
    assert f"{low:g} is black, {high:g} white" in capsys.readouterr().out
    model = fc.load(tmp_path / "runs" / "train" / "deep-001")
    assert model.band_choice.value_range == (low, high)


def test_unreadable_photos_give_no_range(tmp_path):
    source = deep_set(tmp_path / "set")
    for name in SPLITS["train"]:
        path = tmp_path / "set" / "images" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:60])
    data = open_data(source, "train")
    assert data.band_choice is None
    with pytest.raises(DataError, match="damaged or cut short"):
        list(data)
