"""fullconv compare: say whether one model is better than another, or whether it may be chance."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli import _evaluate_options as options
from fullconv.cli._console import format_table, say, say_lines, track, write_json
from fullconv.cli._options import DATA, Device, Json, Out, Quiet, say_taken
from fullconv.cli._predict_options import Scales, Tta, parse_scales

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.evaluation.comparison import Comparison
    from fullconv.evaluation.evaluate import Progress
    from fullconv.evaluation.scored_samples import ScoredSample
    from fullconv.evaluation.scores import Scores

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="A B [C...]",
        help="Two or more of: models (also by name: fullconv models), run folders, exported files, "
        "folders of predictions, and results of fullconv evaluate (their folders or metrics.json).",
        callback=say_taken,
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help=f"{DATA} Results need none.",
        show_default="that of the first run",
    ),
]
Anyway = Annotated[
    bool,
    typer.Option("--anyway", help="Compare although the protocols or the labels differ."),
]


def command(
    sources: Sources,
    data: Dataset = None,
    split: options.Split = "val",
    groups: options.Groups = None,
    tta: Tta = False,
    scales: Scales = None,
    anyway: Anyway = False,
    device: Device = "auto",
    out: Out = Path("runs"),
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Compare models on the same images.

    Prints the difference of mean IoU to A with its confidence interval and p-value, for every
    class, and how many images would be needed if the models cannot be told apart. Writes tables and
    an HTML report, with pictures where each is better, to OUT/compare/NAME-001.
    """
    from fullconv.evaluation.comparison import compare_scores
    from fullconv.evaluation.comparison_files import write_comparisons
    from fullconv.training.run.folder import new_results

    progress = partial(track, quiet=quiet or str(json) == "-")
    given: Any = {"groups": groups, "progress": progress}
    averaging = "--scales" if scales is not None else "--tta" if tta else None
    opened = options.parse_compared(sources, data, split, averaging)
    data_set = next((samples for _, samples in opened if samples), None)
    for warning in data_set.warnings if data_set else ():
        say(f"warning: {warning}")
    for source, samples in opened:
        if samples and (note := options.seen_in_training(source, samples.source, split)):
            say(f"note   {note}")
    first, *others = (
        _scores(source, samples, given, (tta, scales), device) for source, samples in opened
    )
    comparisons = [compare_scores(first.scores, other.scores, anyway) for other in others]
    with new_results(out, "compare", Path(sources[0]).stem) as folder:
        write_comparisons(folder, comparisons)
    pages = [*_write_pages(folder, comparisons, data_set, (first, *others), progress)]
    if str(json) != "-":
        for comparison in comparisons:
            print_comparison(comparison, quiet)
        say(f"results  {folder}")
        for page in pages:
            say(f"report  {page}")
    write_json(json, [comparison.to_dict() for comparison in comparisons])


@dataclass(frozen=True)
class _Source:
    """A source of a comparison.

    Attributes:
        scores: its scores.
        read: yields the samples of these indices with its predictions; None for stored results.
    """

    scores: "Scores"
    read: "Callable[[list[int]], Iterable[ScoredSample]] | None" = None


def _scores(
    source: str,
    samples: "Data | None",
    given: dict[str, Any],
    averaging: tuple[bool, str | None],
    device: str,
) -> _Source:
    from fullconv.data.discovery.resplit import sample_groups
    from fullconv.errors import ConfigError
    from fullconv.evaluation.evaluate import evaluate, evaluate_files
    from fullconv.evaluation.scored_samples import (
        open_predictions,
        score_prediction_files,
        score_samples,
    )
    from fullconv.evaluation.scores import Scores, read_scores

    if samples is None:
        scores, rule = read_scores(Path(source), source), given["groups"]
        if rule:
            groups = tuple(map(sample_groups(rule), scores.counts.names))
            scores = replace(scores, groups=groups)
        return _Source(scores)
    if options.holds_predictions(Path(source)):
        folder = options.labels_folder(Path(source))
        files = open_predictions(folder, samples)
        scores = Scores.of(evaluate_files(files, samples, **given), source)
        return _Source(scores, partial(score_prediction_files, files, samples))
    model = options.open_model(source, device)
    if model.heads:
        names = ", ".join(head.name for head in model.heads)
        raise ConfigError(
            f"{source} has the heads {names}; run fullconv evaluate on each model, and compare the "
            f"folders of one head: runs/evaluate/NAME-001/{model.heads[0].name}"
        )
    scales = parse_scales(*averaging, model.tta_scales) or None
    if not model.exported:  # an exported file's engine follows from the file
        options.prepare_model(model, samples, "torch", scales, lambda text: None)
    scores = Scores.of(evaluate(model, samples, scales=scales, **given), source)
    return _Source(scores, partial(score_samples, model, samples, scales=scales))


def _write_pages(
    folder: Path,
    comparisons: "Sequence[Comparison]",
    data: "Data | None",
    sources: Sequence[_Source],
    progress: "Progress",
) -> Iterator[Path]:
    """Write report.html, of the third model report-2.html, and so on; yield their paths."""
    from fullconv.evaluation.report.comparison_page import ComparedSamples, write_comparison_page

    first, *others = sources
    for number, (comparison, other) in enumerate(zip(comparisons, others, strict=True), 1):
        samples = None
        if data and first.read and other.read:
            samples = ComparedSamples(data, first.read, other.read)
        name = "report.html" if number == 1 else f"report-{number}.html"
        yield write_comparison_page(folder / name, comparison, samples, progress)


def print_comparison(comparison: "Comparison", quiet: bool) -> None:
    """Print the verdict; without `quiet` also the classes, images and groups."""
    from fullconv.evaluation.metrics import format_percent

    first, second = comparison.first, comparison.second
    if comparison.warning:
        say(f"warning: {comparison.warning}")
    if not quiet:
        say(f"A  mean IoU {format_percent(first.counts.mean_iou)}  {first.name}")
        say(f"B  mean IoU {format_percent(second.counts.mean_iou)}  {second.name}")
        rows = [(name, *value.cells()) for name, value in comparison.classes.items()]
        say_lines(format_table(("class", "B - A", "interval", "p (Holm)"), rows))
        say(
            f"images: B is better in {comparison.won}, A in {comparison.lost}; "
            f"resampled: {comparison.units}"
        )
        for name, value in comparison.opposite_groups.items():
            say(f"in the group {name} it is the other way round: {100 * value:+.2f} points")
    say(comparison.sentence())
