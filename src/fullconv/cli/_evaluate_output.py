"""What `fullconv evaluate` prints."""

from pathlib import Path
from typing import TYPE_CHECKING

from fullconv.cli._console import (
    format_class_table,
    format_table,
    say,
    say_fields,
    say_head,
    say_lines,
)
from fullconv.units import count

if TYPE_CHECKING:
    from fullconv.evaluation.evaluation import Evaluation, HeadEvaluations

MAX_GROUPS = 20  # groups that are listed; the others are in groups.csv


def print_evaluations(
    evaluations: "HeadEvaluations", folders: dict[str, Path], quiet: bool, suspects: bool
) -> None:
    """Print the metrics of each head, and its suspected label errors if they were looked for.

    Args:
        evaluations: of each head.
        folders: where its results are.
        quiet: print only the metrics of the whole data set.
        suspects: whether to print suspected label errors.
    """
    from fullconv.evaluation.metrics import format_percent

    for name, evaluation in evaluations.heads.items():
        say_head(name)
        print_evaluation(evaluation, quiet)
        if suspects:
            print_suspects(evaluation, folders[name])
    if len(evaluations.heads) > 1:
        say(f"mean of the heads' mean IoU {format_percent(evaluations.mean_iou)}")


def print_evaluation(evaluation: "Evaluation", quiet: bool) -> None:
    """Print the metrics; with `quiet`, only those of the whole data set."""
    from fullconv.evaluation.explanation_files import explain_in_words
    from fullconv.evaluation.metrics import format_percent
    from fullconv.evaluation.summary import format_metrics

    if not quiet:
        say_lines(format_class_table(evaluation))
        _print_groups(evaluation)
        images = count(len(evaluation.counts.names), "image")
        say(f"{evaluation.data}, split {evaluation.split}, {images}; {evaluation.protocol}")
    if not evaluation.model_digest:
        share = evaluation.share_without_prediction
        say(f"pixels without a prediction: {format_percent(share)}, counted as wrong")
    say_fields(format_metrics(evaluation))
    if not quiet:
        say(_interval_sentence(evaluation))
        for sentence in explain_in_words(evaluation.explanation) if evaluation.explanation else ():
            say(sentence)


def _interval_sentence(evaluation: "Evaluation") -> str:
    """Return the confidence interval of mean IoU with its unit, and the means over images."""
    from fullconv.evaluation.evaluation import WORST
    from fullconv.evaluation.metrics import format_percent

    resampled, counts = evaluation.resampled, evaluation.counts
    if resampled.interval is None:
        interval = f"no confidence interval: {resampled.units}, which are too few"
    else:
        low, high = (100 * value for value in resampled.interval)
        interval = f"95 % interval {low:.1f} to {high:.1f} % (resampling {resampled.units})"
    means = {
        "mean over images": counts.mean_iou_images(),
        f"worst {WORST} % of the images": counts.mean_iou_images(WORST),
    }
    shown = "  ".join(f"{name} {format_percent(value)}" for name, value in means.items())
    return f"mean IoU: {interval}  {shown}"


def _print_groups(evaluation: "Evaluation") -> None:
    from fullconv.evaluation.metrics import format_percent
    from fullconv.evaluation.result_files import groups_of

    groups = sorted(groups_of(evaluation), key=lambda item: (item[1].mean_iou, item[0]))
    rows = [
        (name or "-", str(len(counts.names)), format_percent(counts.mean_iou))
        for name, counts in groups[:MAX_GROUPS]
    ]
    if rows:
        say_lines(format_table(("group, worst first", "images", "mean IoU"), rows))
        if more := len(groups) - len(rows):
            say(f"and {count(more, 'group')} more in groups.csv")


def print_suspects(evaluation: "Evaluation", folder: Path) -> None:
    """Print the first suspected label errors, and where all of them are."""
    from fullconv.evaluation.suspect_files import LABELME
    from fullconv.evaluation.suspects import trained_on

    found = evaluation.suspects
    if not found:
        say("no label is suspected")
        return
    rows = [
        (s.name, evaluation.classes[s.given], evaluation.classes[s.expected], f"{s.area:,}")
        for s in found[:MAX_SUSPECTS]
    ]
    say_lines(format_table(("suspected label", "given", "expected", "pixels"), rows, left=3))
    say(f"{count(len(found), 'suspect')}: review {folder / LABELME} with LabelMe")
    if note := trained_on(evaluation.split):
        say(f"note   {note}")


MAX_SUSPECTS = 10  # that are listed
