"""fullconv check: what is wrong with a data set, and which network it needs, before training."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.commands._options import DATA, Json, Out, Quiet
from fullconv.commands._show import columns, counted, known, say, write_json

if TYPE_CHECKING:
    from fullconv.advisor import Advice
    from fullconv.checks import Diagnosis, Survey

SHOWN = 5  # files that the terminal names of one kind of finding
RARE = 0.01  # share of pixels below which the table says so
_WORDS = {"error": "ERROR", "warning": "WARN ", "note": "note "}


def command(
    data: Annotated[str, typer.Argument(help=DATA)],
    split: Annotated[str | None, typer.Option(help="Only train, val or test.")] = None,
    augment: Annotated[
        int, typer.Option(min=0, help="Also draw N photos as training would see them.")
    ] = 0,
    out: Out = Path("runs"),
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Check a data set: whole files, wrong masks, leaks between splits, the stride it needs."""
    from fullconv.checks import examine
    from fullconv.checks._page import write_page
    from fullconv.run import create

    def progress(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        return counted(items, total, what, quiet or str(json) == "-")

    start = perf_counter()
    diagnosis = examine(data, split, progress)
    seconds = perf_counter() - start
    advice = _advice(diagnosis.survey, progress)
    facts = _facts(diagnosis, seconds)
    run = create(out, "check", Path(data.replace(":", "-")).name)
    page = write_page(run.folder / "report.html", diagnosis, advice, facts)
    write_json(run.folder / "check.json", _values(diagnosis, advice, facts))
    write_json(json, _values(diagnosis, advice, facts))
    if augment:
        _draw(run.folder / "augmentation.png", diagnosis.survey, augment)
    if str(json) != "-":
        _tell(diagnosis, advice, facts, quiet)
        say(f"{diagnosis.verdict} Nothing was changed. Report: {page}")
    if diagnosis.of("error"):
        raise typer.Exit(4)


def _advice(survey: "Survey", progress: Any) -> "Advice | None":
    from fullconv.advisor import advise, chosen

    read = survey.read_labels
    good = [item for item in survey.of("train") or survey.items if item.fits]
    if read is None or not good:
        return None
    pixels = sum(sum(item.labels.values()) for item in good) // len(good)
    picked = [good[place] for place in chosen([item.name for item in good], pixels)]
    shown = progress(picked, len(picked), "strides")
    return advise((read(item) for item in shown), survey.classes)


def _facts(diagnosis: "Diagnosis", seconds: float) -> dict[str, str]:
    from fullconv.checks.masks import encodings

    survey = diagnosis.survey
    sizes = sorted({item.photo.header.size for item in survey.items if item.photo.header})
    height = [f"{one} x {other}" for one, other in (sizes[:1] + sizes[-1:])]
    masks = ", ".join(f"{kind} ({number})" for kind, number in encodings(survey).items())
    splits = ", ".join(f"{split} {len(survey.of(split))}" for split in survey.splits)
    by_hash = survey.inventory is not None and not survey.inventory.divided
    speed = len(survey.items) / max(seconds, 1e-9)
    return {
        "format": survey.layout,
        "images": str(len(survey.items)),
        "splits": splits + (" (by the hash of the names: none is on disk)" if by_hash else ""),
        "sizes (height x width)": " to ".join(dict.fromkeys(height)) or "-",
        "classes": str(len(survey.classes) or "-"),
        "masks": masks or "-",
        "speed": f"{len(survey.items)} photos with masks in {seconds:.1f} s: {speed:.0f} a second",
    }


def _tell(
    diagnosis: "Diagnosis", advice: "Advice | None", facts: Mapping[str, str], quiet: bool
) -> None:
    from fullconv.checks._page import class_rows

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
            say("\n" + columns(titles, rows) + "\n")
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


def _values(
    diagnosis: "Diagnosis", advice: "Advice | None", facts: Mapping[str, str]
) -> dict[str, Any]:
    from fullconv.checks._page import class_rows

    survey = diagnosis.survey
    classes = [
        {
            "name": row.name,
            "share": row.share,
            "images": dict(zip(survey.splits, row.images, strict=True)),
            "weights": {rule: known(weight) for rule, weight in row.weights.items()},
        }
        for row in class_rows(survey)
    ]
    values: dict[str, Any] = {"source": survey.source, "facts": dict(facts), "classes": classes}
    values["findings"] = [asdict(finding) for finding in diagnosis.findings]
    if advice:
        values["advice"] = _advised(advice)
    return values


def _advised(advice: "Advice") -> dict[str, Any]:
    bounds = {
        f"fcn{stride}s": {
            "mean_iu": known(bound.mean_iu),
            "iu": dict(zip(advice.classes, map(known, bound.iu.tolist()), strict=True)),
        }
        for stride, bound in advice.bounds.items()
    }
    sizes = {
        name: {
            "objects": int(advice.sizes[label].size),
            "median": known(advice.size(label, 0.5)),
            "p90": known(advice.size(label, 0.9)),
        }
        for label, name in enumerate(advice.classes)
    }
    said = advice.sentences()
    return {"masks": advice.masks, "bounds": bounds, "sizes": sizes, "sentences": said}


def _draw(path: Path, survey: "Survey", number: int) -> None:
    from fullconv.checks._sheet import contact_sheet
    from fullconv.config import TrainConfig
    from fullconv.images import write_image

    read = survey.read
    whole = [item for item in survey.of("train") or survey.items if item.fits]
    if read is None or not whole:
        say("no photo with labels can be read, so that none is augmented")
        return
    step = max(1, len(whole) // number)
    samples = [read(item) for item in whole[::step][:number]]
    write_image(path, contact_sheet(samples, survey.palette, TrainConfig()))
    say(f"augmentation  {path}")
