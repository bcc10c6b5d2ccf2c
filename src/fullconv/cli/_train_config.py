"""The settings of a run: new ones from options, files and recipes, or those of a resumed run."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.training.run.folder import Run

Duration = tuple[str, float] | None  # e.g. "minutes", 15

_MODELS = ("weights", "teacher")  # settings that may be a file
CHANGEABLE = {"workers", "device", "track"}  # on resuming: they say how it runs, not what it does


def new_settings(given: dict[str, Any], file: Path | None, group_by: str | None) -> "RunConfig":
    """Return the settings of a new run: options override the file, and the file the recipe.

    Args:
        given: setting name -> value, from the command line.
        file: a YAML file with settings.
        group_by: rule by which train and val are split anew.

    Raises:
        ConfigError: no data set is given, or a value is invalid, or one of `given` has no effect.
    """
    from fullconv.config import RunConfig
    from fullconv.data.discovery.resplit import with_groups
    from fullconv.errors import ConfigError
    from fullconv.training.effect import check_effect
    from fullconv.training.recipes import with_recipe

    saved = _settings_of(file, given)
    settings = with_recipe(saved | given)
    _check_recipe(given, saved, file)
    if "data" not in settings:
        raise ConfigError(
            "no data set is given; expected: fullconv train DATA, where DATA is a folder with "
            "images/, masks/ and classes.txt, FORMAT:PATH, or scenes:N"
        )
    if group_by:
        settings["data"] = with_groups(str(settings["data"]), group_by)
    settings["data"] = absolute_data(str(settings["data"]))
    config = RunConfig.checked(**settings | _absolute_models(settings))
    check_effect(config, given)
    return config


def _absolute_models(settings: dict[str, Any]) -> dict[str, str]:
    """Return the files of models in settings, wherever a run is resumed and `latest` points then.

    Names of models and words such as "imagenet" are left out.
    """
    from fullconv.config import AUTO, NONE
    from fullconv.weights.imagenet import IMAGENET

    given = {name: settings.get(name) for name in _MODELS}
    return {
        name: str(Path(value).resolve())
        for name, value in given.items()
        if isinstance(value, str) and value not in (AUTO, NONE, IMAGENET) and os.path.exists(value)
    }


def _settings_of(file: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in a file; a duration of the command line replaces that of the file."""
    from fullconv.config.duration import DURATIONS
    from fullconv.io.settings_file import read_settings

    saved = read_settings(file) if file else {}
    replaced = (*DURATIONS, "plan") if duration_of(given) else ()
    return {name: value for name, value in saved.items() if name not in replaced}


def _check_recipe(given: dict[str, Any], saved: dict[str, Any], file: Path | None) -> None:
    """Check that a recipe of the command line has an effect beside the settings of a file.

    Raises:
        ConfigError: the file gives all settings of the recipe, as the config.yaml of a run does.
    """
    from fullconv.errors import ConfigError
    from fullconv.training.recipes import DEFAULT, with_recipe

    name, before = given.get("recipe"), saved.get("recipe") or DEFAULT
    if name is None or name == before:
        return
    settings, without = with_recipe(saved | given), with_recipe(saved | given | {"recipe": before})
    if settings | {"recipe": before} == without:
        raise ConfigError(
            f"--recipe {name} has no effect, since {file} gives all of its settings, which come "
            "first; delete them from the file, or leave out --recipe"
        )


def duration_of(given: dict[str, Any]) -> tuple[str, float] | None:
    """Return which of minutes, epochs and steps was given, and how many; None if none was.

    Raises:
        ConfigError: several were given.
    """
    from fullconv.config import TrainConfig
    from fullconv.config.duration import DURATIONS

    return TrainConfig.checked(
        **{name: given[name] for name in DURATIONS if name in given}
    ).duration


def resumed_settings(
    run: "Run", given: dict[str, Any], config: Path | None = None, group_by: str | None = None
) -> tuple["RunConfig", Duration]:
    """Return the settings that a run was started with, except for given `CHANGEABLE` ones.

    Args:
        run: the run.
        given: as for `new_settings`, like the other arguments.
        config: see there.
        group_by: see there.

    Returns:
        The settings; and a duration for which the run is to be trained further, if one is given
        and the run is finished, or was last planned for another: the command that a run was
        started with also resumes it.

    Raises:
        ConfigError: another setting, data set or rule for groups is given.
    """
    from fullconv.config import AUTO, RunConfig
    from fullconv.config.duration import DURATIONS
    from fullconv.data.discovery.resplit import without_groups
    from fullconv.errors import ConfigError

    stored = run.read_config()
    try:
        saved = RunConfig.checked(**stored)
    except ConfigError as error:
        raise ConfigError(
            f"{run.config}: {error}; restore the file, or start a new run without --resume"
        ) from error
    further = duration_of(given)
    if further and not run.finished and _asked(saved) == further:
        further = None
    in_file = _settings_of(config, given)
    in_file.pop("plan", None)  # the run's own may have got further parts
    given = {name: value for name, value in given.items() if name not in DURATIONS}
    sources = dict.fromkeys(in_file, f"--config {config}") | dict.fromkeys(given, "the option")
    given = in_file | given
    for name, path in _absolute_models(given).items():
        if Path(path).is_relative_to(run.folder.resolve()):
            del given[name]  # it was named by `latest`, which points to this run by now
        else:
            given[name] = path
    for name in _MODELS:  # the initial weights may be gone by now, as the checkpoint has its own
        moved = given.get(name)
        if isinstance(moved, str) and str(Path(moved).resolve()) == getattr(saved, name):
            given[name] = getattr(saved, name)
    none: dict[str, Any] = dict.fromkeys(DURATIONS)
    before = saved.model_copy(update=_absolute_models(saved.model_dump()))
    wanted = RunConfig.checked(**saved.model_dump() | none | given)
    for key in sorted(given.keys() - CHANGEABLE - {"data"}):
        is_open = getattr(wanted, key) in (None, AUTO)  # and was decided when the run was started
        if getattr(before, key) != getattr(wanted, key) and not is_open:
            raise ConfigError(
                f"{run.folder} was started with {key} {getattr(saved, key)}, not {given[key]}; "
                f"omit {sources[key]} to resume it, or start a new run without --resume"
            )
    data = given.get("data", saved.data)
    if _without_groups(data) != _without_groups(saved.data):
        raise ConfigError(
            f"{run.folder} was started on {saved.data}, not on {data}; omit DATA to "
            "resume it, or start a new run without --resume"
        )
    rule, started = group_by or without_groups(data)[1], without_groups(saved.data)[1]
    if rule and rule != started:
        groups = f"with the groups {started}" if started else "without groups"
        raise ConfigError(
            f"{run.folder} was started {groups}, not with {rule}; omit --group-by to resume it, or "
            "start a new run without --resume"
        )
    changes = {key: getattr(wanted, key) for key in given.keys() & CHANGEABLE}
    return saved.model_copy(update=changes), further


def with_duration(config: "RunConfig", duration: tuple[str, float]) -> "RunConfig":
    """Return the settings of a run that has not begun, with another duration."""
    from fullconv.config.duration import DURATIONS

    none: dict[str, Any] = dict.fromkeys(DURATIONS)
    return config.model_copy(update=none | {"plan": (), duration[0]: duration[1]})


def _asked(config: "RunConfig") -> Duration:
    """Return the duration that a run was last planned for."""
    if not config.plan or not config.plan[-1].asked:
        return config.duration
    name, _, value = config.plan[-1].asked.partition("=")
    return name, float(value)


def absolute_data(data: str) -> str:
    """Return DATA with its folder as an absolute path, so a run can be resumed from anywhere."""
    from fullconv.data.discovery.resplit import with_groups, without_groups
    from fullconv.data.formats import formats

    text, rule = without_groups(data)
    kind, colon, path = text.rpartition(":")
    folder, question, options = path.partition("?")
    is_path = kind not in formats or formats[kind].located
    if not (is_path and folder and Path(folder).exists()):
        return data
    absolute = f"{kind}{colon}{Path(folder).resolve()}{question}{options}"
    return with_groups(absolute, rule) if rule else absolute


def run_name(data: str) -> str:
    """Return a short name for a run: "photos" for /home/me/photos, "scenes" for scenes:200."""
    from fullconv.data.discovery.resplit import without_groups

    kind, _, rest = without_groups(data)[0].partition("?")[0].partition(":")
    return kind if rest[:1].isdigit() else Path(rest or kind).name or "run"


def _without_groups(data: str) -> str:
    """Return absolute DATA without its groups, which `--group-by` may have added."""
    from fullconv.data.discovery.resplit import without_groups

    return without_groups(absolute_data(data))[0]
