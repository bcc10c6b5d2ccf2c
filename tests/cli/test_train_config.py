"""Settings from the command line, files and recipes, and those of resumed runs."""

import pytest
import typer

from fullconv.cli import run
from fullconv.cli._train_config import absolute_data, new_settings, resumed_settings, run_name
from fullconv.cli._train_options import (
    FLAGS,
    OPTIONS,
    parse_settings,
    setting_options,
    with_settings,
)
from fullconv.config import Part, RunConfig, help_text
from fullconv.errors import ConfigError
from fullconv.training.plan import asked, shown_duration
from fullconv.training.run.folder import create_run


def test_data_gets_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert absolute_data("photos") == str(tmp_path / "photos")
    assert absolute_data("coco:photos?kind=stuff") == f"coco:{tmp_path}/photos?kind=stuff"
    assert absolute_data("scenes:200") == "scenes:200" and absolute_data("nowhere") == "nowhere"
    (tmp_path / "nuclei").mkdir()
    assert absolute_data("samples:nuclei") == "samples:nuclei", "a name is not a path"


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
def test_a_run_is_named_after_its_data(data, expected):
    assert run_name(data) == expected


def parsed(*arguments):
    """Return what a command with setting options gets from these arguments."""
    received = {}

    @setting_options
    def command(given: dict, quiet: bool = False) -> None:
        received.update(given=given, quiet=quiet)

    app = typer.Typer()
    app.command()(command)
    app(arguments, standalone_mode=False)
    return received["given"], received["quiet"]


def test_options_give_the_settings_that_were_set_with_their_types():
    arguments = "scenes:9 --padding 100 --size 48x64 --crop whole --epochs 3 --lr 0.5 --quiet"
    expected = {"data": "scenes:9", "padding": 100, "size": (48, 64), "crop": "whole"}
    assert parsed(*arguments.split()) == (expected | {"epochs": 3, "lr": 0.5}, True)
    assert parsed("--crop", "32x40", "--learn-upsampling") == (
        {"crop": (32, 40), "learn_upsampling": True},
        False,
    )
    assert parsed() == ({}, False)


def test_every_option_of_a_setting_shows_its_description_and_default(capsys):
    assert run(["train", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in OPTIONS:
        assert FLAGS.get(name, f"--{name.replace('_', '-')}") in text
        assert " ".join(help_text(name).split()) in text.replace("- ", "-"), name
    assert "instead of minutes. [default: what the minutes allow]" in text
    assert "[default: 0.25 without weights, 1 with]" in text


def test_values_are_yaml():
    found = parse_settings(["clip=5", "zoom=[1, 1.2]", "keep = last", "loss=a=b"])
    assert found == {"clip": 5, "zoom": [1, 1.2], "keep": "last", "loss": "a=b"}


def test_options_override_the_file_and_the_file_the_recipe(tmp_path):
    (tmp_path / "more.yaml").write_text("recipe: heavy\nepochs: 7\nbatch: 3\n")
    found = new_settings({"data": "scenes:9", "batch": 2}, tmp_path / "more.yaml", None)
    assert (found.batch, found.epochs, found.recipe) == (2, 7, "heavy")
    assert found.momentum == 0.99, "the recipe's, which nothing else gave"


def test_a_recipe_that_a_file_overrides_as_a_whole_is_refused(tmp_path):
    whole = create_run(tmp_path, "train", "one", RunConfig(data="scenes:9").model_dump(mode="json"))
    with pytest.raises(ConfigError, match=r"--recipe heavy has no effect, since .*config.yaml"):
        new_settings({"recipe": "heavy"}, whole.config, None)
    assert new_settings({"lr": 0.1}, whole.config, None).lr == 0.1
    assert new_settings({"recipe": "modern"}, whole.config, None).recipe == "modern", "it is these"
    (tmp_path / "heavy.yaml").write_text(
        "recipe: heavy\nloss: focal\nbalance: none\nema: 0\ndata: scenes:9\n"
    )
    assert new_settings({"recipe": "modern"}, tmp_path / "heavy.yaml", None).momentum == 0.9


@pytest.mark.parametrize("name", ["weights", "teacher"])
def test_a_model_is_the_same_file_when_latest_points_elsewhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = create_run(tmp_path, "train", "a", {})
    given = {"data": "scenes:9", name: "train/latest"}
    started = new_settings(given, None, None)
    assert getattr(started, name) == str(first.folder.resolve())
    run = create_run(tmp_path, "train", "a", started.model_dump(mode="json"))
    assert resumed_settings(run, given) == (started, None), "latest is this run now"
    assert resumed_settings(run, given | {name: "train/a-001"}) == (started, None)
    create_run(tmp_path, "train", "b", {})
    with pytest.raises(ConfigError, match=rf"was started with {name} .*a-001, not .*b-001"):
        resumed_settings(run, given)
    for word in ("none", "imagenet", "camvid"):
        assert getattr(new_settings(given | {name: word}, None, None), name) == word


def test_the_command_of_a_run_resumes_it_without_the_initial_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "w.safetensors"
    file.touch()
    given = {"data": "scenes:9", "weights": "w.safetensors"}
    started = new_settings(given, None, None)
    run = create_run(tmp_path, "train", "a", started.model_dump(mode="json"))
    file.unlink()
    assert resumed_settings(run, given) == (started, None)
    with pytest.raises(ConfigError, match=r"was started with weights .*w.safetensors, not v.safe"):
        resumed_settings(run, given | {"weights": "v.safetensors"})


def test_a_setting_is_given_once():
    with pytest.raises(ConfigError, match=r"lr is given twice, by --lr and by --set"):
        with_settings({"lr": 0.1}, ["lr=0.2"])
    with pytest.raises(ConfigError, match=r"input_scale is given twice, by --scale and"):
        with_settings({"input_scale": 1.0}, ["input_scale=2"])
    with pytest.raises(ConfigError, match=r"--set ema is given twice"):
        with_settings({}, ["ema=0.1", "ema=0.2"])
    assert with_settings({"lr": 0.1}, ["ema=0.2"]) == {"lr": 0.1, "ema": 0.2}


def test_a_resumed_run_refuses_other_settings_in_a_file(tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("data: scenes:9\nloss: auto\nbatch: 4\nepochs: 3\nturn: null\nworkers: 1\n")
    saved = RunConfig(data="scenes:9", epochs=3, batch=4, loss="focal", turn=True)
    run = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    expected = saved.model_copy(update={"workers": 1})
    assert resumed_settings(run, {}, file) == (expected, None), "what it was started with"
    assert resumed_settings(run, {}, run.config) == (saved, None)
    assert resumed_settings(run, {"epochs": 5}, file) == (expected, ("epochs", 5))
    for line, found in (
        ("batch: 5", "batch 4, not 5; omit --config"),
        ("epochs: 5", "epochs 3, not 5; omit --config"),
        ("minutes: 5", "minutes None, not 5; omit --config"),
        ("loss: dice", "loss focal, not dice; omit --config"),
        ("data: scenes:8", "on scenes:9, not on scenes:8"),
    ):
        file.write_text(f"{line}\n")
        with pytest.raises(ConfigError, match=rf"one-001 was started (with )?{found}"):
            resumed_settings(run, {}, file)
    file.write_text("batch: 5\n")
    assert resumed_settings(run, {"batch": 4}, file)[0] == saved, "an option comes first"


def test_a_resumed_run_keeps_its_groups(tmp_path):
    saved = RunConfig(data="scenes:9?group-by=clip")
    run = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    for given, rule in (({}, "clip"), ({"data": "scenes:9"}, None), ({"data": saved.data}, "clip")):
        assert resumed_settings(run, given, None, rule) == (saved, None)
    for given, rule in (({}, "tile"), ({"data": "scenes:9?group-by=tile"}, None)):
        with pytest.raises(ConfigError, match=r"with the groups clip, not with tile; omit"):
            resumed_settings(run, given, None, rule)
    plain = RunConfig(data="scenes:9")
    run = create_run(tmp_path, "train", "two", plain.model_dump(mode="json"))
    with pytest.raises(ConfigError, match=r"without groups, not with clip"):
        resumed_settings(run, {}, None, "clip")


def test_a_resumed_run_keeps_its_settings_but_may_change_workers(tmp_path):
    saved = RunConfig(data="scenes:9", epochs=3, batch=4)
    started = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    expected = saved.model_copy(update={"workers": 2})
    assert resumed_settings(started, {"workers": 2, "epochs": 3}) == (expected, None)
    with pytest.raises(ConfigError, match=r"one-001 was started with batch 4, not 5; omit"):
        resumed_settings(started, {"batch": 5})


def test_one_duration_is_given_and_it_replaces_that_of_the_file(tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("epochs: 7\nplan:\n- {end: 9, asked: epochs=7}\n")
    found = new_settings({"data": "scenes:9", "steps": 5}, file, None)
    assert (found.duration, found.plan) == (("steps", 5), ())
    assert new_settings({"data": "scenes:9"}, file, None).plan[0].end == 9
    with pytest.raises(
        ConfigError, match=r"epochs and steps are given together; expected only one of"
    ):
        new_settings({"data": "scenes:9", "steps": 5, "epochs": 2}, None, None)


def test_another_duration_trains_a_run_further_and_the_same_resumes_it(tmp_path):
    saved = RunConfig(data="scenes:9", minutes=15)
    run = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    assert resumed_settings(run, {"minutes": 15.0}) == (saved, None)
    assert resumed_settings(run, {"minutes": 10.0}) == (saved, ("minutes", 10))
    run.write_summary({})
    assert resumed_settings(run, {"minutes": 15.0}) == (saved, ("minutes", 15)), "it is finished"
    parts = [{"end": 5, "asked": "minutes=15"}, {"start": 5, "end": 9, "asked": "epochs=2"}]
    extended = saved.model_copy(update={"plan": tuple(Part(**part) for part in parts)})
    run = create_run(tmp_path, "train", "two", extended.model_dump(mode="json"))
    assert resumed_settings(run, {"epochs": 2}) == (extended, None)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("minutes", 20 / 3, "minutes=6.66667"), ("steps", 1234567, "steps=1234567")],
)
def test_a_duration_of_many_digits_resumes_its_run(tmp_path, name, value, text):
    part = Part(end=9, asked=asked(name, value))
    saved = RunConfig(**{"data": "scenes:9", name: value, "plan": (part,)})
    run = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    assert resumed_settings(run, {name: value}) == (saved, None)
    assert shown_duration(part.asked) == text


def test_a_resumed_run_keeps_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    saved = RunConfig(data=f"{tmp_path / 'photos'}?group-by=clip")
    started = create_run(tmp_path, "train", "one", saved.model_dump(mode="json"))
    for same in ("photos", str(tmp_path / "photos"), "photos?group-by=clip"):
        assert resumed_settings(started, {"data": same}) == (saved, None)
    with pytest.raises(ConfigError, match=r"was started on .*photos.*, not on scenes:3; omit DATA"):
        resumed_settings(started, {"data": "scenes:3"})
