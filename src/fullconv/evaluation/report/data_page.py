"""The findings, the classes and the advice as one HTML page that needs nothing beside it."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from fullconv.data.checks import Diagnosis
from fullconv.data.checks._survey import Survey
from fullconv.data.checks._thumbnails import thumbnails
from fullconv.data.labels.class_weights import RULES
from fullconv.evaluation.metrics import percent
from fullconv.evaluation.upper_bounds import FIELD, STRIDES, UpperBounds
from fullconv.io.atomic import write_text
from fullconv.io.palettes import full_palette

MOST_FILES = 50  # that the page lists of one kind; --json has all

TITLES: Mapping[str, str] = {
    "16-bit": "Photos with more than 8 bits",
    "16-bit-mask": "Masks with 16 bits",
    "all-background": "Masks that are all background",
    "all-void": "Masks that are all void",
    "alpha": "Photos with an alpha channel",
    "binary-mask": "Binary masks, 0 and 255",
    "broken-link": "Links that lead nowhere",
    "class-missing": "Classes that a split lacks",
    "class-only-in-val": "Classes that train lacks",
    "class-rare": "Rare classes",
    "class-unused": "Classes that are never used",
    "classes-unknown": "The classes cannot be told",
    "damaged": "Damaged files",
    "duplicate": "The same photo twice, or in two splits",
    "empty-file": "Empty files",
    "exif-rotation": "Photos turned by EXIF, masks not",
    "ids-from-1": "Class ids that count from 1",
    "interpolated-mask": "Interpolated or recompressed masks",
    "jpeg-mask": "Masks as JPEG",
    "labels-refused": "Labels that cannot be read",
    "label-ids": "Cityscapes' labelIds instead of classes",
    "list-line": "Lines and entries that name nothing",
    "mask-alpha": "Masks with an alpha channel",
    "mask-missing": "Photos without a mask",
    "missing": "Files that are not there",
    "mixed-channels": "Grey, colour and CMYK mixed",
    "near-duplicate": "Photos that look alike across splits",
    "neighbouring-frames": "Neighbouring frames across splits",
    "not-readable": "The data set cannot be opened",
    "one-stem-twice": "Two files of one stem",
    "photo-missing": "Labels without a photo",
    "rgb-mask": "Colour-coded masks without declared colours",
    "size-mismatch": "Photos and masks of different sizes",
    "tiny": "Very small photos",
    "too-large": "Very large photos",
    "unreadable": "Files that may not be read",
    "void-class": "Classes that are called void",
    "value-outside": "Values that are no class",
    "wrong-suffix": "Names that say another format",
}


@dataclass(frozen=True)
class Row:
    """One class in the tables.

    Attributes:
        name: of the class.
        color: RGB.
        share: of all labelled pixels, in [0, 1].
        images: how many of each split hold it, in the order of the splits.
        weights: by the rule's name; nan where the class has no pixels.
    """

    name: str
    color: tuple[int, int, int]
    share: float
    images: tuple[int, ...]
    weights: Mapping[str, float]


def class_rows(survey: Survey) -> list[Row]:
    """The classes with their shares, their images and what each rule would weigh them."""
    pixels = survey.pixels()
    whole = max(1, int(pixels.sum()))
    images = [survey.images(split) for split in survey.splits]
    weights = {name: rule(survey.counts) for name, rule in RULES.items()}
    palette = full_palette(survey.palette)
    return [
        Row(
            name,
            palette[label],
            float(pixels[label]) / whole,
            tuple(int(one[label]) for one in images),
            {rule: float(values[label]) for rule, values in weights.items()},
        )
        for label, name in enumerate(survey.classes)
    ]


def write_page(
    path: Path, diagnosis: Diagnosis, advice: UpperBounds | None, facts: Mapping[str, str]
) -> Path:
    """Write the page.

    Args:
        path: of the page.
        diagnosis: what was found.
        advice: what each stride can reach; None where no labels can be read.
        facts: more lines of the table at the top, name to value.

    Raises:
        OutputError: it cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("fullconv.evaluation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "uri": _uri}
    survey = diagnosis.survey
    groups = [
        (TITLES.get(code, code), found, thumbnails(survey, found))
        for code, found in diagnosis.groups.items()
    ]
    page = environment.get_template("check.html.j2").render(
        survey=survey,
        verdict=diagnosis.verdict,
        groups=groups,
        facts=facts,
        rows=class_rows(survey),
        rules=[name for name in RULES if name != "none"],
        advice=advice,
        strides=STRIDES,
        field=FIELD,
        most=MOST_FILES,
    )
    write_text(path, page)
    return path


def _uri(content: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(content).decode()}"
