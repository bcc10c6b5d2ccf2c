"""The settings of a run: new ones from what was given, or those that it was started with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullconv.config import RunConfig
    from fullconv.training.run.folder import Run


def new_settings(given: dict[str, Any], config: Path | None, group_by: str | None) -> "RunConfig":
    """The settings of a new run: those given win over a file's, and both over a recipe's.

    Args:
        given: name -> value, as in config.yaml.
        config: a YAML file of more.
        group_by: the rule by which train and val are divided anew.

    Raises:
        ConfigError: there is no data among them, or a value cannot be.
    """
    from fullconv.config import RunConfig, read_yaml
    from fullconv.data.discovery.resplit import with_groups
    from fullconv.errors import ConfigError
    from fullconv.training.recipes import with_recipe

    settings = with_recipe((read_yaml(config) if config else {}) | given)
    if "data" not in settings:
        raise ConfigError(
            "no data was given; expected: fullconv train DATA, where DATA is a folder with "
            "images/, masks/ and classes.txt, FORMAT:PATH, or scenes:N"
        )
    if group_by:
        settings["data"] = with_groups(str(settings["data"]), group_by)
    settings["data"] = anchored(str(settings["data"]))
    return RunConfig.checked(**settings)


def same_settings(run: "Run", given: dict[str, Any]) -> "RunConfig":
    """The settings that a run was started with; only what changes no result may be given anew.

    Raises:
        ConfigError: something else is given anew.
    """
    from fullconv.config import RunConfig
    from fullconv.errors import ConfigError

    saved = RunConfig.checked(**run.read_config())
    free = {"workers", "device", "track"}
    wanted = RunConfig.checked(**saved.model_dump() | given)
    for key in given.keys() - free - {"data"}:
        if getattr(saved, key) != getattr(wanted, key):
            raise ConfigError(
                f"{run.folder} was started with {key} {getattr(saved, key)}, not {given[key]}: "
                "leave the option away to go on with it, or start a new run without --resume"
            )
    if "data" in given and _place(given["data"]) != _place(saved.data):
        raise ConfigError(
            f"{run.folder} was started on {saved.data}, not on {given['data']}: leave DATA away to "
            "go on with it, or start a new run without --resume"
        )
    return saved.model_copy(update={key: given[key] for key in given.keys() & free})


def _place(data: str) -> str:
    """DATA less its groups, which an option of its own may give."""
    from fullconv.data.discovery.resplit import without_groups

    return without_groups(anchored(data))[0]


def anchored(data: str) -> str:
    """DATA with its folder as an absolute path, so that a run can be resumed from anywhere."""
    from fullconv.data.discovery.resplit import with_groups, without_groups

    text, rule = without_groups(data)
    kind, colon, path = text.rpartition(":")
    place, question, options = path.partition("?")
    if not place or not Path(place).exists():
        return data
    whole = f"{kind}{colon}{Path(place).resolve()}{question}{options}"
    return with_groups(whole, rule) if rule else whole


def stem(data: str) -> str:
    """A short name for a run on DATA: "photos" for /home/me/photos, "scenes" for scenes:200."""
    from fullconv.data.discovery.resplit import without_groups

    kind, _, rest = without_groups(data)[0].partition("?")[0].partition(":")
    return kind if rest[:1].isdigit() else Path(rest or kind).name or "run"
