"""Settings as YAML files."""

from pathlib import Path
from typing import Any

import yaml

from fullconv.errors import ConfigError


def to_yaml(values: dict[str, Any]) -> str:
    """Return settings as YAML, in their order."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the settings in a YAML file.

    Raises:
        ConfigError: the file is missing or is not a mapping of names to plain values.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML ({error})") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{path}: expected settings as `name: value` lines")
    return values
