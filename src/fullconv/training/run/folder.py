"""The folder of one run, e.g. runs/train/photos-001, and its files."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from fullconv.errors import ConfigError, OutputError
from fullconv.evaluation.metrics import EpochIoU
from fullconv.inference.model_file import BEST, LAST
from fullconv.io.atomic import write_text
from fullconv.io.locks import hold, locked
from fullconv.io.settings_file import read_settings, to_yaml
from fullconv.io.temporaries import sweep, sweep_tree, target_name, temporary_path
from fullconv.io.visible import RESULTS, mark_results
from fullconv.training.run.tables import (
    Row,
    as_csv,
    class_history_as_csv,
    read_class_history,
    read_results,
)


@dataclass(frozen=True)
class Run:
    """One run's folder; every file in it is written atomically."""

    folder: Path

    @property
    def config(self) -> Path:
        """All settings, resolved; `fullconv train --config` reads them."""
        return self.folder / "config.yaml"

    @property
    def last(self) -> Path:
        """The latest checkpoint: weights, optimizer state, step."""
        return self.folder / LAST

    @property
    def best(self) -> Path:
        """The model that the run keeps: by default that with the highest mean IoU so far."""
        return self.folder / BEST

    @property
    def data(self) -> Path:
        """What the run was started on: names, files and classes of the data set."""
        return self.folder / "data.json"

    @property
    def results(self) -> Path:
        """One row per epoch."""
        return self.folder / "results.csv"

    @property
    def per_class_history(self) -> Path:
        """One row per evaluation: the IoU of every class."""
        return self.folder / "per_class_history.csv"

    @property
    def events(self) -> Path:
        """What happened and when, one JSON object per line."""
        return self.folder / "events.jsonl"

    @property
    def summary(self) -> Path:
        """The final metrics; exists once the run is finished."""
        return self.folder / "summary.json"

    @property
    def finished(self) -> bool:
        """Whether the run has ended."""
        return self.summary.is_file()

    def write_config(self, settings: Mapping[str, Any]) -> None:
        """Write config.yaml."""
        write_text(self.config, to_yaml(dict(settings)))

    def read_config(self) -> dict[str, Any]:
        """Read the settings in config.yaml."""
        return read_settings(self.config)

    def read_results(self, until: float = float("inf")) -> list[dict[str, float]]:
        """Read the rows of results.csv up to step `until`.

        Raises:
            ConfigError: the file is damaged.
        """
        return [row for row in read_results(self.results) if row["step"] <= until]

    def write_results(self, rows: Sequence[Row]) -> None:
        """Rewrite results.csv."""
        write_text(self.results, as_csv(rows))

    def write_class_history(self, classes: Sequence[str], rows: Sequence[EpochIoU]) -> None:
        """Rewrite per_class_history.csv."""
        write_text(self.per_class_history, class_history_as_csv(classes, rows))

    def read_class_history(self, until: float = float("inf")) -> list[EpochIoU]:
        """Read the rows of per_class_history.csv up to step `until`.

        Raises:
            ConfigError: the file is damaged.
        """
        return [row for row in read_class_history(self.per_class_history) if row.step <= until]

    def write_summary(self, numbers: Mapping[str, Any]) -> None:
        """Write the final metrics, which marks the run as finished."""
        write_text(self.summary, json.dumps(dict(numbers), indent=2, ensure_ascii=False) + "\n")

    def reopen(self) -> None:
        """Remove the final metrics of a finished run, which is trained further."""
        self.summary.unlink(missing_ok=True)

    def hold(self) -> None:
        """Lock the folder until this process ends.

        Raises:
            ConfigError: another process has locked it.
        """
        if not hold(self.folder):
            raise ConfigError(
                f"another process is training in {self.folder}; wait until it ends, or stop it "
                "with Ctrl-C or SIGTERM (it saves a checkpoint first)"
            )

    def clean(self) -> None:
        """Remove partly written files of a killed process, below the folder too.

        This process has to hold the folder's lock.
        """
        sweep_tree(self.folder, locked=True)

    def point_latest(self) -> None:
        """Point `latest`, beside the folder, to this run, as far as links are supported."""
        folder = self.folder.resolve()
        with suppress(OSError), locked(folder.parent):
            _link(folder.parent / "latest", folder.name)


def create_run(out: Path, verb: str, name: str, settings: Mapping[str, Any] | None = None) -> Run:
    """Create a folder OUT/VERB/NAME-001, with the next free number, and point `latest` to it.

    With settings, config.yaml is written, and a folder that a killed process left without one is
    reused.

    Raises:
        OutputError: the folder cannot be created.
    """
    run = _new_run(out, verb, name, settings)
    run.point_latest()
    return run


def _new_run(out: Path, verb: str, name: str, settings: Mapping[str, Any] | None) -> Run:
    parent = out / verb
    safe = _folder_name(name)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with locked(parent) as alone:
            _sweep_newest(parent, safe)
            folder = _next_folder(parent, safe, reuse=alone and settings is not None)
            if settings is not None:
                Run(folder).write_config(settings)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot create a run folder in {parent}: {error.strerror}; choose another with --out"
        ) from error
    return Run(folder)


@contextmanager
def new_results(out: Path, verb: str, name: str) -> Iterator[Path]:
    """Yield a new folder OUT/VERB/NAME-001 for results; `latest` points to it once they are there.

    If they cannot be written, the folder is removed and `latest` stays as it was.

    Raises:
        OutputError: the folder cannot be created.
    """
    run = _new_run(out, verb, name, None)
    try:
        yield run.folder
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    run.point_latest()


def _sweep_newest(parent: Path, name: str) -> None:
    """Remove what a kill left in `parent` and in the newest folder of this name."""
    sweep(parent)
    numbers = _numbered_folders(parent, name)
    if numbers:
        sweep_tree(numbers[max(numbers)])


def _numbered_folders(parent: Path, name: str) -> dict[int, Path]:
    found = ((_numbered(name).fullmatch(path.name), path) for path in parent.iterdir())
    return {int(match[1]): path for match, path in found if match}


def _next_folder(parent: Path, name: str, reuse: bool) -> Path:
    """Create the next folder, or reuse one that holds only partly written files."""
    found = _numbered_folders(parent, name)
    for _, folder in sorted(found.items() if reuse else ()):
        if all(path.name == RESULTS or target_name(path.name) for path in folder.iterdir()):
            Run(folder).clean()
            mark_results(folder)  # it may have been killed before
            return folder
    for number in count(max(found, default=0) + 1):
        folder = parent / f"{name}-{number:03d}"
        with suppress(FileExistsError):
            folder.mkdir()
            try:
                mark_results(folder)
            except OutputError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            return folder
    raise AssertionError("unreachable: there is always a next number")


def find_newest(
    out: Path, verb: str = "train", name: str | None = None, finished: bool = False
) -> Run | None:
    """Return the newest unfinished run under OUT/VERB (of this name), or None.

    With `finished`, it may be a finished one.
    """
    runs = [Run(path.parent) for path in (out / verb).glob("*/config.yaml")]
    runs = [
        run for run in runs if not name or _numbered(_folder_name(name)).fullmatch(run.folder.name)
    ]
    runs = [run for run in runs if not run.folder.is_symlink() and (finished or not run.finished)]
    return max(runs, key=lambda run: run.config.stat().st_mtime_ns, default=None)


def open_run(folder: Path) -> Run:
    """Return the run in a folder.

    Raises:
        ConfigError: the folder has no config.yaml.
    """
    run = Run(folder)
    if not run.config.is_file():
        raise ConfigError(f"{folder} is not a run folder: it has no {run.config.name}")
    return run


def _folder_name(name: str) -> str:
    """Return a name without characters that a folder name should not have."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"


def _numbered(name: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(name)}-(\d+)")


def _link(link: Path, target: str) -> None:
    """Point a link to a name in its folder; other things of the link's name stay as they are."""
    sweep(link.parent)
    if link.exists() and not link.is_symlink():
        return
    temporary = temporary_path(link)
    try:
        temporary.symlink_to(target, target_is_directory=True)
        os.replace(temporary, link)
    except OSError:  # the file system does not support links, so there is no `latest`
        temporary.unlink(missing_ok=True)
