"""The settings of a run: new ones from options, files and recipes, or those of a resumed run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.training.run.folder import Run

Duration = tuple[str, float] | None  # e.g. "minutes", 15

CHANGEABLE = {"workers", "device", "track"}  # on resuming: they do not change the result


def new_settings(given: dict[str, Any], config: Path | None, group_by: str | None) -> "RunConfig":
    """Return the settings of a new run: options override the file, and the file the recipe.

    Args:
        given: setting name -> value, from the command line.
        config: a YAML file with settings.
        group_by: rule by which train and val are split anew.

    Raises:
        ConfigError: no data set is given, or a value is invalid.
    """
    from fullconv.config import RunConfig
    from fullconv.config.duration import DURATIONS
    from fullconv.data.discovery.resplit import with_groups
    from fullconv.errors import ConfigError
    from fullconv.io.settings_file import read_settings
    from fullconv.training.recipes import with_recipe

    saved = read_settings(config) if config else {}
    if duration_of(given):  # it replaces that of the file
        saved = {name: v for name, v in saved.items() if name not in (*DURATIONS, "plan")}
    settings = with_recipe(saved | given)
    if "data" not in settings:
        raise ConfigError(
            "no data set is given; expected: fullconv train DATA, where DATA is a folder with "
            "images/, masks/ and classes.txt, FORMAT:PATH, or scenes:N"
        )
    if group_by:
        settings["data"] = with_groups(str(settings["data"]), group_by)
    settings["data"] = absolute_data(str(settings["data"]))
    return RunConfig.checked(**settings)


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


def resumed_settings(run: "Run", given: dict[str, Any]) -> tuple["RunConfig", Duration]:
    """Return the settings that a run was started with, except for given `CHANGEABLE` ones.

    Returns:
        The settings; and a duration for which the run is to be trained further, if one is given
        and the run is finished, or was last planned for another: the command that a run was
        started with also resumes it.

    Raises:
        ConfigError: another setting or data set is given.
    """
    from fullconv.config import RunConfig
    from fullconv.config.duration import DURATIONS
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
    given = {name: value for name, value in given.items() if name not in DURATIONS}
    wanted = RunConfig.checked(**saved.model_dump() | given)
    for key in given.keys() - CHANGEABLE - {"data"}:
        if getattr(saved, key) != getattr(wanted, key):
            raise ConfigError(
                f"{run.folder} was started with {key} {getattr(saved, key)}, not {given[key]}; "
                "omit the option to resume it, or start a new run without --resume"
            )
    if "data" in given and _without_groups(given["data"]) != _without_groups(saved.data):
        raise ConfigError(
            f"{run.folder} was started on {saved.data}, not on {given['data']}; omit DATA to "
            "resume it, or start a new run without --resume"
        )
    changes = {key: given[key] for key in given.keys() & CHANGEABLE}
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
