"""Settings as YAML files: config.yaml of runs, and the files of `--config`."""

import re
from pathlib import Path
from typing import Any

import yaml

from fullconv.errors import ConfigError, DataError
from fullconv.io.text import read_yaml


class _Dumper(yaml.SafeDumper):
    """Quotes texts that YAML 1.2 would read as numbers, besides those of YAML 1.1."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def to_yaml(values: dict[str, Any]) -> str:
    """Return settings as YAML, in their order."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def read_settings(path: Path) -> dict[str, Any]:
    """Read the settings in a YAML file.

    Raises:
        ConfigError: the file is missing, or is not a mapping of names to values.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file")
    try:
        return read_yaml(path)
    except DataError as error:
        raise ConfigError(
            f"{error.problem}; expected settings as `name: value` lines, such as `epochs: 40`"
        ) from error
