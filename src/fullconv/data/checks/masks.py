"""Check how masks are stored, and for masks without labels."""

from collections.abc import Iterator

from fullconv.data.checks import checks
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.scan import is_jpeg
from fullconv.data.survey.survey import Item, Survey
from fullconv.io.palettes import VOID

_BACKGROUNDS = ("background", "_background_", "__background__", "bg", "other")
MANY_IGNORED = 0.1  # share of the pixels from which ignored ones are a warning


@checks.register("masks")
def masks(survey: Survey) -> Iterator[Finding]:
    """Yield findings on the storage format and on empty masks."""
    withheld = survey.withheld
    if withheld:
        yield survey.note(
            "all-void",
            "test",
            f"every pixel of its {len(survey.of('test'))} masks is ignored (255)",
            "labelled pixels",
            "none needed if the labels are withheld; no metrics can be computed on this split",
        )
    yield from _many_ignored(survey)
    for item in survey.items:
        if not item.mask.fault:
            if survey.masks_are_files:
                yield from _format(survey, item)
            if not (withheld and item.split == "test"):
                yield from _empty(survey, item)


def _many_ignored(survey: Survey) -> Iterator[Finding]:
    """Warn of many ignored pixels in masks that have others, too; `_empty` names the rest.

    Pixels of a value other than 255 that is declared as ignored are meant to be.
    """
    table = survey.table
    meant = {v for v, label in table.indices.mapping.items() if label == VOID} if table else set()
    total = ignored = 0
    for item in survey.items:
        if {*item.labels} != {VOID}:
            total += sum(item.labels.values())
            ignored += item.labels.get(VOID, 0)
            ignored -= sum(item.mask.counts.get(value, 0) for value in meant - {VOID})
    if ignored > MANY_IGNORED * total:
        yield survey.warning(
            "many-ignored",
            survey.source,
            f"{100 * ignored / total:.1f} % of the pixels are ignored (255)",
            f"at most {100 * MANY_IGNORED:.0f} %: nothing is learned or measured there",
            _remedy_for_ignored(survey),
        )


def _remedy_for_ignored(survey: Survey) -> str:
    table = survey.table
    if table and survey.masks_are_files and VOID in table.indices.mapping and not table.colors:
        return (
            "none needed if it is intended; if 255 is a class, number the lines of classes.txt and "
            'add "255 NAME"'
        )
    return "none needed if it is intended; otherwise label these pixels, or declare their class"


def _format(survey: Survey, item: Item) -> Iterator[Finding]:
    header, values = item.mask.header, len(item.mask.counts)
    if is_jpeg(header):
        yield survey.error(
            "jpeg-mask",
            item.mask.path,
            f"a JPEG file with {values} different values: compression alters labels at edges",
            "a lossless format such as PNG",
            "export the masks again as PNG; a JPEG mask cannot be repaired",
        )
    elif header and header.mode in ("RGBA", "LA", "PA"):
        yield survey.warning(
            "mask-alpha",
            item.mask.path,
            f"pixel type {header.mode}: the alpha channel is dropped",
            "one channel, or RGB",
            "save it without transparency",
        )
    if header and header.mode.startswith("I") and not is_jpeg(header):
        yield survey.note(
            "16-bit-mask",
            item.mask.path,
            f"pixel type {header.mode}: 16 bits, values up to {max(_numbers(item), default=0)}",
            "8 bits",
            "none needed; save it with 8 bits for other software",
        )


def _empty(survey: Survey, item: Item) -> Iterator[Finding]:
    if not item.labels or None in item.labels or is_jpeg(item.mask.header):
        return
    used = set(item.labels) - {VOID}
    if not used:
        yield survey.warning(
            "all-void",
            item.mask.path,
            "every pixel is ignored (255)",
            "labelled pixels",
            "label it, or remove the pair: nothing can be learned from it",
        )
    elif used == {0} and len(survey.classes) > 1 and _is_background(survey):
        if _is_binary(survey, item):
            yield survey.warning(
                "binary-mask",
                item.mask.path,
                "only the values 0 and 255: a binary mask, in which 255 is ignored",
                f"indices of the {len(survey.classes)} classes",
                "export it with class indices",
            )
        else:
            yield survey.warning(
                "all-background",
                item.mask.path,
                f"every {'labelled ' * (VOID in item.labels)}pixel is {survey.classes[0]!r}",
                "labelled objects",
                "none needed if this is intended; otherwise label it, or remove the pair",
            )


def _is_binary(survey: Survey, item: Item) -> bool:
    values = set(item.mask.counts)
    frequent = item.labels.get(VOID, 0) > item.labels[0] / 20
    return survey.masks_are_files and values == {0, VOID} and frequent


def _is_background(survey: Survey) -> bool:
    # A photo that is entirely road is as suspicious if no other photo has a single class.
    if survey.classes[0].casefold() in _BACKGROUNDS:
        return True
    single = sum(set(item.labels) - {VOID} == {0} for item in survey.items)
    return single <= max(1, len(survey.items) // 20)


def _numbers(item: Item) -> list[int]:
    return [value for value in item.mask.counts if isinstance(value, int)]
