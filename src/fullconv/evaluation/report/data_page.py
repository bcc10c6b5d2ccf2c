"""Write the page of a data set check: findings, classes and upper bounds, self-contained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fullconv.data.checks import Diagnosis
from fullconv.data.labels.class_weights import RULES
from fullconv.data.survey.overlays import draw_overlays
from fullconv.data.survey.survey import Survey
from fullconv.data.survey.thumbnails import thumbnails
from fullconv.evaluation.report.render import render
from fullconv.evaluation.upper_bounds import (
    FC7_RECEPTIVE_FIELD,
    LOW_BOUND,
    STRIDES,
    UpperBounds,
)
from fullconv.io.atomic import write_text
from fullconv.io.palettes import full_palette

MAX_FILES = 1000  # listed per cause; --json lists all
OPEN_FILES = 5  # of them outside of the fold

TITLES: Mapping[str, str] = {
    "16-bit": "Photos with more than 8 bits per channel and no value range",
    "16-bit-mask": "16-bit masks",
    "all-background": "Masks with background only",
    "all-void": "Masks with ignored pixels only",
    "alpha": "Photos with an alpha channel",
    "binary-mask": "Binary masks with the values 0 and 255",
    "broken-link": "Broken links",
    "class-missing": "Classes missing in a split",
    "class-only-in-val": "Classes missing in train",
    "class-rare": "Rare classes",
    "class-unused": "Unused classes",
    "classes-unknown": "Classes that cannot be determined",
    "damaged": "Damaged files",
    "duplicate": "Duplicate photos",
    "empty-file": "Empty files",
    "exif-rotation": "Photos rotated by EXIF, masks not",
    "exif-unclear": "Photos rotated by EXIF, with masks that could be of either orientation",
    "ids-from-1": "Class ids that start at 1",
    "interpolated-mask": "Interpolated or recompressed masks",
    "jpeg-mask": "JPEG masks",
    "labels-missing": "Splits without any labels",
    "labels-refused": "Labels that cannot be read",
    "label-ids": "Cityscapes labelIds instead of classes",
    "list-line": "Invalid lines and entries of lists and annotations",
    "many-ignored": "Many ignored pixels",
    "mask-alpha": "Masks with an alpha channel",
    "mask-missing": "Photos without a mask",
    "missing": "Missing files",
    "mixed-folders": "Folders of splits beside other images",
    "mixed-depth": "Photos with 8 bits and with more mixed",
    "mixed-channels": "Grey, colour and CMYK photos mixed",
    "near-duplicate": "Near-duplicate photos across splits",
    "neighbouring-frames": "Neighbouring video frames across splits",
    "not-readable": "Data sets that cannot be opened",
    "not-annotated": "Photos without labels yet",
    "one-stem-twice": "Files that share a name",
    "photo-missing": "Labels without a photo",
    "rgb-mask": "Colour-coded masks without declared colours",
    "size-mismatch": "Photos and masks of different sizes",
    "tiny": "Very small photos",
    "too-large": "Very large photos",
    "unreadable": "Files without read permission",
    "unused-folder": "Folders of photos that no split uses",
    "unused-photo": "Photos that no split uses",
    "values-in-order": "Names matched with mask values in order",
    "void-class": "Classes named void",
    "value-outside": "Mask values that are not a class",
    "wrong-suffix": "Files whose suffix does not match their format",
}


@dataclass(frozen=True)
class ClassStats:
    """Statistics of a class.

    Attributes:
        name: class name.
        color: RGB in [0, 255].
        share: share of all labelled pixels, in [0, 1].
        images: number of images with the class in each split, in the order of the splits.
        weights: rule name -> class weight; nan for a class without pixels.
    """

    name: str
    color: tuple[int, int, int]
    share: float
    images: tuple[int, ...]
    weights: Mapping[str, float]


def class_stats(survey: Survey) -> list[ClassStats]:
    """Return the statistics of each class, with the weight that each rule gives it."""
    pixels = survey.pixels()
    total = max(1, int(pixels.sum()))
    images = [survey.images(split) for split in survey.splits]
    weights = {name: rule(survey.counts) for name, rule in RULES.items()}
    palette = full_palette(survey.palette)
    return [
        ClassStats(
            name,
            palette[label],
            float(pixels[label]) / total,
            tuple(int(counts[label]) for counts in images),
            {rule: float(values[label]) for rule, values in weights.items()},
        )
        for label, name in enumerate(survey.classes)
    ]


def write_check_page(
    path: Path, diagnosis: Diagnosis, bounds: UpperBounds | None, facts: Mapping[str, str]
) -> Path:
    """Write the page and return its path.

    Args:
        path: path of the page.
        diagnosis: findings and statistics of the data set.
        bounds: upper bounds on IoU by stride; None if no labels can be read.
        facts: rows of the table at the top, name to value.

    Raises:
        OutputError: the page cannot be written.
    """
    survey = diagnosis.survey
    groups = [
        (TITLES.get(findings[0].code, findings[0].code), findings, thumbnails(survey, findings))
        for findings in diagnosis.causes
    ]
    page = render(
        "check.html.j2",
        styles=["check.css"],
        survey=survey,
        verdict=diagnosis.verdict,
        groups=groups,
        facts=facts,
        rows=class_stats(survey),
        rules=[name for name in RULES if name != "none"],
        bounds=bounds,
        strides=STRIDES,
        low_bound=LOW_BOUND,
        field=FC7_RECEPTIVE_FIELD,
        max_files=MAX_FILES,
        open_files=OPEN_FILES,
        overlays=[*draw_overlays(survey)],
    )
    write_text(path, page)
    return path
