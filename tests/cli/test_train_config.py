"""What is given on the command line wins over files and recipes, and is found from anywhere."""

import pytest

from fullconv.cli._train_config import anchored, new_settings, same_settings, stem
from fullconv.cli._train_options import parse_settings, settings_among
from fullconv.config import RunConfig
from fullconv.errors import ConfigError
from fullconv.training.run.folder import create_run


def test_data_is_found_again_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert anchored("photos") == str(tmp_path / "photos")
    assert anchored("coco:photos?kind=stuff") == f"coco:{tmp_path}/photos?kind=stuff"
    assert anchored("scenes:200") == "scenes:200" and anchored("nowhere") == "nowhere"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("/home/me/photos", "photos"),
        ("scenes:200", "scenes"),
        ("voc:data/VOC2012", "VOC2012"),
        ("photos?group-by=clip", "photos"),
        ("/", "run"),
    ],
)
def test_a_run_is_called_like_its_data(data, expected):
    assert stem(data) == expected


def test_settings_among_parameters_are_those_given_in_their_own_form():
    parameters = {"padding": "100", "size": "48x64", "crop": "whole", "epochs": 3, "lr": None}
    expected = {"padding": 100, "size": (48, 64), "crop": "whole", "epochs": 3}
    assert settings_among(parameters | {"quiet": True, "out": "runs"}) == expected
    assert settings_among({"crop": "32x40"}) == {"crop": (32, 40)}


def test_values_are_yaml():
    found = parse_settings(["clip=5", "scale=[1, 1.2]", "keep = last", "loss=a=b"])
    assert found == {"clip": 5, "scale": [1, 1.2], "keep": "last", "loss": "a=b"}


def test_what_is_given_wins_over_the_file_and_the_file_over_the_recipe(tmp_path):
    (tmp_path / "more.yaml").write_text("recipe: heavy\nepochs: 7\nbatch: 3\n")
    found = new_settings({"data": "scenes:9", "batch": 2}, tmp_path / "more.yaml", None)
    assert (found.batch, found.epochs, found.recipe) == (2, 7, "heavy")
    assert found.momentum == 0.99, "the recipe's, which nothing else gave"


def test_a_run_goes_on_with_its_own_settings_and_other_workers(tmp_path):
    saved = RunConfig(data="scenes:9", epochs=3)
    run = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    assert same_settings(run, {"workers": 2, "epochs": 3}) == saved.model_copy(
        update={"workers": 2}
    )
    with pytest.raises(ConfigError, match=r"one-001 was started with epochs 3, not 4: leave"):
        same_settings(run, {"epochs": 4})


def test_a_run_goes_on_with_its_own_data_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    saved = RunConfig(data=f"{tmp_path / 'photos'}?group-by=clip")
    run = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    for same in ("photos", str(tmp_path / "photos"), "photos?group-by=clip"):
        assert same_settings(run, {"data": same}) == saved
    with pytest.raises(
        ConfigError, match=r"was started on .*photos.*, not on scenes:3: leave DATA"
    ):
        same_settings(run, {"data": "scenes:3"})
