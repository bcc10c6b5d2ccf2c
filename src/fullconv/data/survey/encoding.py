"""How masks encode their classes: as indices, as colours, or as 0 and 255."""

from fullconv.data.labels.ignore_value import OPEN
from fullconv.data.survey.scan import Value, is_jpeg
from fullconv.data.survey.survey import Item, Survey
from fullconv.io.palettes import VOID


def encodings(survey: Survey) -> dict[str, int]:
    """Count the masks of each encoding, most frequent first."""
    kinds: dict[str, int] = {}
    for item in survey.items:
        if not item.mask.fault and item.mask.header:
            kind = _encoding(survey, item)
            kinds[kind] = kinds.get(kind, 0) + 1
    return dict(sorted(kinds.items(), key=lambda entry: -entry[1]))


def _encoding(survey: Survey, item: Item) -> str:
    mode = item.mask.header.mode if item.mask.header else ""
    if not survey.masks_are_files:
        return "labels drawn from annotations"
    if is_jpeg(item.mask.header):
        return "JPEG"
    if item.mask.colored:
        return "palette colours" if item.mask.shown else "RGB-coded"
    if set(item.mask.counts) == {0, VOID} and len(survey.classes) == 2:
        return "binary 0-255"
    if mode.startswith("I"):
        return "16-bit indices"
    return "palette indices" if mode == "P" else "grey indices"


def describe_255(survey: Survey) -> str:
    """Return what 255 means in the masks, and why."""
    undeclared = survey.table is None and any(VOID in item.mask.counts for item in survey.items)
    if survey.refusal and (survey.refusal.code == OPEN or undeclared):
        return "open: a class, or ignored"
    if not survey.masks_are_files or survey.table is None:
        return "-"
    return survey.table.rule or "ignored, by the format"


def format_value(value: Value) -> str:
    """Format a raw value: 7, or #804080."""
    return str(value) if isinstance(value, int) else "#{:02x}{:02x}{:02x}".format(*value)
