"""fullconv check: check a data set for errors before training."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli import _check_options as options
from fullconv.cli._check_advice import compute_bounds, training_size
from fullconv.cli._check_classes import class_file, write_class_list
from fullconv.cli._check_output import as_json, print_diagnosis, summarize
from fullconv.cli._console import say, track, write_json
from fullconv.cli._options import DATA, Json, Out, Quiet, parse_size
from fullconv.io.commands import pasted
from fullconv.units import count

if TYPE_CHECKING:
    from fullconv.data.checks import Diagnosis
    from fullconv.data.survey.survey import Survey
    from fullconv.evaluation.recommendations import Setting


def command(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA)],
    split: options.Split = None,
    size: options.Size = None,
    ignore: options.Ignore = None,
    write_config: options.WriteConfig = None,
    write_classes: options.WriteClasses = False,
    augment: options.Augment = 0,
    config: options.Config = None,
    accept: options.Accept = None,
    out: Out = Path("runs"),
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Check a data set for errors before training.

    Finds damaged files, wrong masks, leaks between splits and rare classes, and computes the best
    IoU that each network stride allows. Writes a report; changes nothing in the data set.
    """
    from fullconv.data.checks import examine
    from fullconv.evaluation.recommendations import recommend_settings
    from fullconv.evaluation.report.data_page import write_check_page
    from fullconv.training.run.folder import new_results

    json_only = str(json) == "-"
    if accept:
        _accept(data, accept, out, json)
        return

    def progress(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        return track(items, total, what, quiet or json_only)

    fitted = parse_size(size)
    _check_options(write_config, config)
    classes = class_file(data) if write_classes else None
    start = perf_counter()
    full_diagnosis = examine(data, split, progress)
    seconds = perf_counter() - start
    diagnosis = full_diagnosis.ignore(ignore or ())
    used = training_size(diagnosis.survey, fitted)
    bounds = compute_bounds(diagnosis.survey, used, progress)
    facts = summarize(diagnosis, seconds) | (used.facts if used else {})
    values = as_json(diagnosis, bounds, facts) | {"training": used.values if used else None}
    with new_results(out, "check", Path(data.replace(":", "-")).name) as folder:
        page = write_check_page(folder / "report.html", diagnosis, bounds, facts)
        write_json(folder / "check.json", values)
    write_json(json, values)
    if not json_only:
        print_diagnosis(diagnosis, bounds, facts, quiet)
        _print_unused(full_diagnosis, ignore or ())
    if write_config:
        _write_config(
            write_config, recommend_settings(diagnosis, bounds, fitted), diagnosis, json_only
        )
    if augment:
        _draw(folder / "augmentation.png", diagnosis.survey, augment, config, json_only)
    if classes:
        written = write_class_list(classes, diagnosis.survey)
        if not json_only:
            say(written)
    if not json_only:
        changed = "Nothing else" if classes else "Nothing"
        say(f"{diagnosis.verdict} {changed} was changed. Report: {page}")
    if diagnosis.of("error"):
        raise typer.Exit(4)


def _check_options(write_config: Path | None, config: Path | None) -> None:
    """Refuse invalid options before the work instead of after it."""
    from fullconv.config import TrainConfig
    from fullconv.errors import ConfigError
    from fullconv.io.settings_file import read_settings
    from fullconv.training.recipes import with_recipe

    if write_config and write_config.exists():
        raise ConfigError(
            f"--write-config {write_config}: the file exists; delete it, or choose another name"
        )
    if config:
        given = with_recipe(read_settings(config))
        TrainConfig.checked(**{name: value for name, value in given.items() if name != "data"})


def _print_unused(diagnosis: "Diagnosis", patterns: Sequence[str]) -> None:
    from fullconv.data.checks import matches

    for pattern in patterns:
        if not any(matches(finding, pattern) for finding in diagnosis.findings):
            say(f"note   --ignore {pattern} matches no finding")


def _write_config(
    path: Path, settings: "list[Setting]", diagnosis: "Diagnosis", quiet: bool
) -> None:
    from fullconv.evaluation.recommendations import as_yaml
    from fullconv.io.atomic import write_text

    write_text(path, as_yaml(diagnosis, settings))
    if not quiet:
        say(f"settings  {path}   ({pasted('fullconv', 'train', '--config', path)})")


def _draw(path: Path, survey: "Survey", number: int, config: Path | None, quiet: bool) -> None:
    from fullconv.config import RunConfig
    from fullconv.data.transforms.augmentation_sheet import draw_augmentation
    from fullconv.io.images import write_image
    from fullconv.io.settings_file import read_settings
    from fullconv.training.recipes import with_recipe
    from fullconv.training.resolve import resolve_settings

    data = survey.data("train")
    if not len(data):
        say("no augmentation is drawn: no image with a mask can be read")
        return
    given = with_recipe(read_settings(config) if config else {}) | {"data": survey.source}
    step = max(1, len(data) // number)
    indices = range(0, len(data), step)[:number]
    # Resolved as in a training, so that crops have the same size.
    settings = resolve_settings(RunConfig.checked(**given), data)
    write_image(path, draw_augmentation(data, indices, settings))
    if not quiet:
        images = "1 image" if len(indices) == 1 else f"{len(indices)} images"
        say(f"augmentation  {path}: {images}, each as in three epochs")


def _accept(source: str, reviewed: Path, out: Path, json: Path | None) -> None:
    """Write corrected copies of the masks into a new folder."""
    from fullconv.data.formats import open_data
    from fullconv.evaluation.accepted_labels import accept_labels, reviewed_split
    from fullconv.training.run.folder import new_results

    data = open_data(source, reviewed_split(reviewed))
    with new_results(out, "check", Path(source.replace(":", "-")).name) as folder:
        found = accept_labels(data, reviewed, folder)
    pixels = sum(found.changed.values())
    if str(json) != "-":
        say(
            f"{count(found.masks, 'mask')} written to {found.folder}, {len(found.changed)} of them "
            f"changed ({pixels:,} pixels). The data set was not changed."
        )
    write_json(json, {"masks": str(found.folder), "changed": found.changed})
