"""What fullconv check prints, and writes as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fullconv.cli._console import format_table, nan_to_none, say

if TYPE_CHECKING:
    from fullconv.data.checks import Diagnosis, Survey
    from fullconv.evaluation.upper_bounds import UpperBounds


SHOWN = 5  # files that the terminal names of one kind of finding
RARE = 0.01  # share of pixels below which the table says so
_WORDS = {"error": "ERROR", "warning": "WARN ", "note": "note "}


def facts_of(diagnosis: "Diagnosis", seconds: float) -> dict[str, str]:
    """What the data set is, and how fast it was read: name to value."""
    from fullconv.data.checks._encoding import encodings

    survey = diagnosis.survey
    if not survey.items:
        return {"format": survey.layout}
    sizes = sorted({item.photo.header.size for item in survey.items if item.photo.header})
    height = [f"{one} x {other}" for one, other in (sizes[:1] + sizes[-1:])]
    masks = ", ".join(f"{kind} ({number})" for kind, number in encodings(survey).items())
    splits = ", ".join(f"{split} {len(survey.of(split))}" for split in survey.splits)
    number = len(survey.items)
    photos = "1 photo with its mask" if number == 1 else f"{number} photos with masks"
    return {
        "format": survey.layout,
        "images": str(number),
        "splits": splits + _how_divided(survey),
        "sizes (height x width)": " to ".join(dict.fromkeys(height)) or "-",
        "classes": str(len(survey.classes) or "-"),
        "masks": masks or "-",
        "speed": f"{photos} in {seconds:.1f} s: {number / max(seconds, 1e-9):.0f} a second",
    }


def _how_divided(survey: "Survey") -> str:
    from fullconv.data.discovery.resplit import without_groups

    if rule := without_groups(survey.source)[1]:
        return f" (whole groups by {rule}, as asked)"
    if survey.inventory is None or survey.inventory.divided:
        return ""
    return " (by the hash of the names: none is on disk)"


def tell(
    diagnosis: "Diagnosis", advice: "UpperBounds | None", facts: Mapping[str, str], quiet: bool
) -> None:
    """Print the facts, the classes, the findings and the advice; if quiet only the findings."""
    from fullconv.evaluation.report.data_page import class_rows

    if not quiet:
        width = max(map(len, facts))
        for name, value in facts.items():
            say(f"{name.ljust(width)}  {value}")
        splits = diagnosis.survey.splits
        rows = [
            (row.name, f"{100 * row.share:.2f} %", *map(str, row.images), _remark(row))
            for row in class_rows(diagnosis.survey)
        ]
        titles = ("class", "pixels", *(f"in {split}" for split in splits), "")
        if rows:
            say("\n" + format_table(titles, rows) + "\n")
    for found in diagnosis.groups.values():
        for finding in found[:SHOWN]:
            say(f"{_WORDS[finding.severity]}  {finding.file}: {finding.found}")
        if len(found) > SHOWN:
            say(f"       and {len(found) - SHOWN} more of this kind")
        say(f"         expected {found[0].expected}")
        say(f"         -> {found[0].remedy}")
    if advice and not quiet:
        for sentence in advice.sentences():
            say(f"advice {sentence}")


def _remark(row: Any) -> str:
    if not 0 < row.share < RARE:
        return ""
    return f"rare: median frequency would weigh it {row.weights['median-freq']:.1f}"


def values_of(
    diagnosis: "Diagnosis", advice: "UpperBounds | None", facts: Mapping[str, str]
) -> dict[str, Any]:
    """All of it as plain values for JSON."""
    from fullconv.evaluation.report.data_page import class_rows

    survey = diagnosis.survey
    classes = [
        {
            "name": row.name,
            "share": row.share,
            "images": dict(zip(survey.splits, row.images, strict=True)),
            "weights": {rule: nan_to_none(weight) for rule, weight in row.weights.items()},
        }
        for row in class_rows(survey)
    ]
    values: dict[str, Any] = {"source": survey.source, "facts": dict(facts), "classes": classes}
    values["findings"] = [asdict(finding) for finding in diagnosis.findings]
    values["ignored"] = [asdict(finding) for finding in diagnosis.accepted]
    if advice:
        values["advice"] = _advised(advice)
    return values


def _advised(advice: "UpperBounds") -> dict[str, Any]:
    bounds = {
        f"fcn{stride}s": {
            "mean_iu": nan_to_none(bound.mean_iu),
            "iu": dict(zip(advice.classes, map(nan_to_none, bound.iu.tolist()), strict=True)),
        }
        for stride, bound in advice.bounds.items()
    }
    sizes = {
        name: {
            "objects": int(advice.sizes[label].size),
            "median": nan_to_none(advice.size(label, 0.5)),
            "p90": nan_to_none(advice.size(label, 0.9)),
            "by_pixels": nan_to_none(advice.usual_size(label)),
        }
        for label, name in enumerate(advice.classes)
    }
    said = advice.sentences()
    return {"masks": advice.masks, "bounds": bounds, "sizes": sizes, "sentences": said}
