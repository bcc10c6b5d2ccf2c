"""What fullconv check prints, and writes as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING, Any

from fullconv.cli._console import format_table, nan_to_none, say, say_lines, say_wrapped

if TYPE_CHECKING:
    from fullconv.data.checks import Diagnosis
    from fullconv.data.survey.finding import Finding
    from fullconv.data.survey.survey import Survey
    from fullconv.evaluation.upper_bounds import UpperBounds


MAX_SHOWN = 3  # files of one cause that are printed
MAX_CAUSES = 5  # causes of one kind that are printed
RARE = 0.01  # share of pixels below which a class is called rare
_INDENT = 9  # blanks before what belongs to a cause
_SEVERITIES = {"error": "ERROR", "warning": "WARN ", "note": "note "}


def summarize(diagnosis: "Diagnosis", seconds: float) -> dict[str, str]:
    """Describe the data set and how fast it was read: name -> value."""
    from fullconv.data.survey.encoding import describe_255, encodings

    survey = diagnosis.survey
    if not survey.items:
        return {"format": survey.layout}
    sizes = sorted({item.photo.header.size for item in survey.items if item.photo.header})
    extremes = [f"{height} x {width}" for height, width in (sizes[:1] + sizes[-1:])]
    masks = ", ".join(f"{kind} ({number})" for kind, number in encodings(survey).items())
    splits = ", ".join(f"{split} {len(survey.of(split))}" for split in survey.splits)
    number, ignored = len(survey.items), survey.ignored_share
    images = "1 image with its mask" if number == 1 else f"{number} images with masks"
    value_range = survey.inventory.photo_range.summary if survey.inventory else ""
    return {
        "format": survey.layout,
        "images": str(number),
        "splits": splits + _describe_split(survey),
        "sizes (height x width)": " to ".join(dict.fromkeys(extremes)) or "-",
        **({"value range": value_range} if value_range else {}),
        "classes": str(len(survey.classes) or "-"),
        "masks": masks or "-",
        "255 in masks": describe_255(survey),
        "ignored pixels": "-" if isnan(ignored) else f"{100 * ignored:.1f} %",
        "speed": f"{images} in {seconds:.1f} s: {number / max(seconds, 1e-9):.0f}/s",
    }


def _describe_split(survey: "Survey") -> str:
    from fullconv.data.discovery.resplit import without_groups

    if rule := without_groups(survey.source)[1]:
        return f" (by groups: {rule})"
    if survey.inventory is None or survey.inventory.divided:
        return ""
    if whole := survey.inventory.whole:
        return f" (by the hash of the names: there is only a list {whole!r} of all samples)"
    return " (by the hash of the names: the data set has no split lists)"


def print_diagnosis(
    diagnosis: "Diagnosis", bounds: "UpperBounds | None", facts: Mapping[str, str], quiet: bool
) -> None:
    """Print facts, classes, findings and advice; only the findings if quiet."""
    from fullconv.evaluation.report.data_page import class_stats

    if not quiet:
        width = max(map(len, facts))
        for name, value in facts.items():
            say_wrapped(f"{name.ljust(width)}  {value}", width + 2)
        splits = diagnosis.survey.splits
        rows = [
            (row.name, f"{100 * row.share:.2f} %", *map(str, row.images), _remark(row))
            for row in class_stats(diagnosis.survey)
        ]
        titles = ("class", "pixels", *(f"in {split}" for split in splits), "")
        if rows:
            say_lines(f"\n{format_table(titles, rows)}\n")
    _print_causes(diagnosis)
    if bounds and not quiet:
        for sentence in bounds.sentences():
            say_wrapped(f"advice {sentence}")


def _print_causes(diagnosis: "Diagnosis") -> None:
    shown: dict[str, int] = {}
    for findings in diagnosis.causes:
        code = findings[0].code
        shown[code] = shown.get(code, 0) + 1
        if shown[code] <= MAX_CAUSES:
            _print_cause(findings)
    for code, number in shown.items():
        if number > MAX_CAUSES:
            say(f"       and {number - MAX_CAUSES} more causes of {code}, in the report")


def _print_cause(findings: "Sequence[Finding]") -> None:
    """Print one cause: what was found in the first files, and how many more there are."""
    from fullconv.evaluation.report.data_page import TITLES

    first = findings[0]
    severity = _SEVERITIES[first.severity]
    if len(findings) == 1:
        say_wrapped(f"{severity}  {first.file}: {first.found}", _INDENT)
    else:
        say(f"{severity}  {TITLES.get(first.code, first.code)} ({len(findings)})")
        for finding in findings[:MAX_SHOWN]:
            say_wrapped(f"         {finding.file}: {finding.found}", _INDENT + 2)
        if len(findings) > MAX_SHOWN:
            say(f"         and {len(findings) - MAX_SHOWN} more, in the report")
    say_wrapped(f"         expected {first.expected}", _INDENT)
    say_wrapped(f"         -> {first.remedy}", _INDENT + 3)


def _remark(row: Any) -> str:
    if not 0 < row.share < RARE:
        return ""
    weight = row.weights["enet"]  # nan if it is not in train
    return "rare" if isnan(weight) else f"rare: training gives it a weight of {weight:.1f}"


def as_json(
    diagnosis: "Diagnosis", bounds: "UpperBounds | None", facts: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of check.json."""
    from fullconv.evaluation.report.data_page import class_stats

    survey = diagnosis.survey
    classes = [
        {
            "name": row.name,
            "share": row.share,
            "images": dict(zip(survey.splits, row.images, strict=True)),
            "weights": {rule: nan_to_none(weight) for rule, weight in row.weights.items()},
        }
        for row in class_stats(survey)
    ]
    values: dict[str, Any] = {"source": survey.source, "facts": dict(facts), "classes": classes}
    values["findings"] = [asdict(finding) for finding in diagnosis.findings]
    values["ignored"] = [asdict(finding) for finding in diagnosis.ignored]
    if bounds:
        values["advice"] = _bounds_as_json(bounds)
    return values


def _bounds_as_json(bounds: "UpperBounds") -> dict[str, Any]:
    by_stride = {
        f"fcn{stride}s": {
            "mean_iou": nan_to_none(bound.mean_iou),
            "iou": dict(zip(bounds.classes, map(nan_to_none, bound.iou.tolist()), strict=True)),
        }
        for stride, bound in bounds.bounds.items()
    }
    sizes = {
        name: {
            "objects": int(bounds.sizes[label].size),
            "median": nan_to_none(bounds.size(label, 0.5)),
            "p90": nan_to_none(bounds.size(label, 0.9)),
            "by_pixels": nan_to_none(bounds.area_median_size(label)),
        }
        for label, name in enumerate(bounds.classes)
    }
    return {
        "masks": bounds.masks,
        "bounds": by_stride,
        "sizes": sizes,
        "sentences": bounds.sentences(),
    }
