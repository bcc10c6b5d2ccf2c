"""The folder of one run: runs/train/photos-001 and what lies in it."""

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullconv.atomic import write_text
from fullconv.config import read_yaml, to_yaml
from fullconv.errors import ConfigError, OutputError

Row = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """One run's folder; every file in it appears whole or not at all."""

    folder: Path

    @property
    def config(self) -> Path:
        """All settings, resolved; `fullconv train --config` takes them back."""
        return self.folder / "config.yaml"

    @property
    def last(self) -> Path:
        """The newest checkpoint: weights, optimiser, step."""
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        """The model with the highest mean IU so far."""
        return self.folder / "best.safetensors"

    @property
    def results(self) -> Path:
        """One row an epoch."""
        return self.folder / "results.csv"

    @property
    def summary(self) -> Path:
        """The final numbers; there once the run is finished."""
        return self.folder / "summary.json"

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.summary.is_file()

    def write_config(self, settings: Mapping[str, Any]) -> None:
        """Write config.yaml."""
        write_text(self.config, to_yaml(dict(settings)))

    def read_config(self) -> dict[str, Any]:
        """The settings in config.yaml."""
        return read_yaml(self.config)

    def read_results(self, until: float = float("inf")) -> list[dict[str, float]]:
        """The rows of results.csv up to step `until`."""
        if not self.results.is_file():
            return []
        with self.results.open(newline="", encoding="utf-8") as file:
            rows = [{k: float(v or "nan") for k, v in row.items()} for row in csv.DictReader(file)]
        return [row for row in rows if row["step"] <= until]

    def write_results(self, rows: Sequence[Row]) -> None:
        """Write results.csv anew."""
        write_text(self.results, as_csv(rows))

    def write_summary(self, numbers: Mapping[str, Any]) -> None:
        """Write the final numbers, which marks the run as finished."""
        write_text(self.summary, json.dumps(dict(numbers), indent=2, ensure_ascii=False) + "\n")

    def clean(self) -> None:
        """Remove what a killed process left half-written."""
        for orphan in self.folder.glob(".*.tmp"):
            orphan.unlink(missing_ok=True)


def create(out: Path, verb: str, name: str) -> Run:
    """A new folder OUT/VERB/NAME-001, the first number that is free; `latest` points to it.

    Raises:
        OutputError: the folder cannot be made.
    """
    parent = out / verb
    safe = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        taken = [int(m[1]) for p in parent.iterdir() if (m := _number(safe).fullmatch(p.name))]
        number = max(taken, default=0) + 1
        while True:
            folder = parent / f"{safe}-{number:03d}"
            try:
                folder.mkdir()
                break
            except FileExistsError:
                number += 1
        _point(parent / "latest", folder.name)
    except OSError as error:
        raise OutputError(
            f"no run folder can be made in {parent}: {error.strerror}; choose another with --out"
        ) from error
    return Run(folder)


def unfinished(out: Path, verb: str = "train") -> Run | None:
    """The newest run under OUT/VERB that was stopped before its end, or None."""
    runs = [Run(path.parent) for path in (out / verb).glob("*/config.yaml")]
    runs = [run for run in runs if not run.finished and not run.folder.is_symlink()]
    return max(runs, key=lambda run: run.config.stat().st_mtime_ns, default=None)


def existing(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        ConfigError: there is none.
    """
    if not (folder / "config.yaml").is_file():
        raise ConfigError(f"{folder} is no run folder: it has no config.yaml")
    return Run(folder)


def as_csv(rows: Sequence[Row]) -> str:
    """Rows of numbers as CSV, the keys of the first as its header; nan is an empty cell."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return stream.getvalue()


def _cell(value: float) -> str:
    if value != value:
        return ""
    return str(int(value)) if value == int(value) and abs(value) > 1 else f"{value:.6g}"


def _number(name: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(name)}-(\d+)")


def _point(link: Path, target: str) -> None:
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(target, target_is_directory=True)
        os.replace(temporary, link)
    except OSError:  # a file system without links has no `latest`
        temporary.unlink(missing_ok=True)
