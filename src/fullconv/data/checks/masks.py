"""Masks that are stored badly, or say nothing."""

from collections.abc import Iterator

from fullconv.data.checks import checks
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._scan import is_jpeg
from fullconv.data.checks._survey import Item, Survey
from fullconv.io.palettes import VOID

_BACKGROUNDS = ("background", "_background_", "__background__", "bg", "other")


@checks.register("masks")
def masks(survey: Survey) -> Iterator[Finding]:
    """How each mask is stored, and whether anything is labelled in it."""
    secret = _is_secret(survey)
    if secret:
        yield survey.tell(
            "all-void",
            "test",
            f"every pixel of its {len(survey.of('test'))} masks is void",
            "some labelled pixels",
            "nothing to do where its labels are kept secret; no score can be computed on it",
        )
    for item in survey.items:
        if not item.mask.fault:
            if survey.masks_are_files:
                yield from _format(survey, item)
            if not (secret and item.split == "test"):
                yield from _empty(survey, item)


def _format(survey: Survey, item: Item) -> Iterator[Finding]:
    header, values = item.mask.header, len(item.mask.counts)
    if is_jpeg(header):
        yield survey.about(
            "jpeg-mask",
            item.mask.path,
            f"a JPEG with {values} different values: compression invents labels along the edges",
            "PNG, which keeps every value",
            "export the masks again as PNG; a JPEG cannot be mended",
        )
    elif header and header.mode in ("RGBA", "LA", "PA"):
        yield survey.warn(
            "mask-alpha",
            item.mask.path,
            f"a mask of type {header.mode}: its alpha channel is dropped",
            "one channel, or RGB",
            "save it without transparency",
        )
    if header and header.mode.startswith("I") and not is_jpeg(header):
        yield survey.tell(
            "16-bit-mask",
            item.mask.path,
            f"a mask of type {header.mode}: 16 bits, values to {max(_numbers(item), default=0)}",
            "8 bits",
            "it is read as it is; save it with 8 bits to be read by other tools",
        )


def _empty(survey: Survey, item: Item) -> Iterator[Finding]:
    if not item.labels or None in item.labels or is_jpeg(item.mask.header):
        return
    used = set(item.labels) - {VOID}
    if not used:
        yield survey.warn(
            "all-void",
            item.mask.path,
            "every pixel is void",
            "some labelled pixels",
            "label it, or take the pair out: it teaches nothing",
        )
    elif used == {0} and len(survey.classes) > 1 and _is_background(survey):
        if _is_binary(survey, item):
            yield survey.warn(
                "binary-mask",
                item.mask.path,
                "0 and 255 only: binary, of which 255 is taken for void",
                f"numbers of the {len(survey.classes)} classes",
                "export it with class numbers",
            )
        else:
            yield survey.warn(
                "all-background",
                item.mask.path,
                f"every {'labelled ' * (VOID in item.labels)}pixel is {survey.classes[0]!r}",
                "something else in it",
                "nothing to do if it is meant; else label it, or take the pair out",
            )


def _is_secret(survey: Survey) -> bool:
    """Whether the test split has dummies for masks, as Cityscapes' has."""
    items = survey.of("test")
    return len(items) > 1 and all(set(item.labels) == {VOID} for item in items)


def _is_binary(survey: Survey, item: Item) -> bool:
    values = set(item.mask.counts)
    many = item.labels.get(VOID, 0) > item.labels[0] / 20
    return survey.masks_are_files and values == {0, VOID} and many


def _is_background(survey: Survey) -> bool:
    # A photo that is all road is as suspicious, when no other photo is of one class alone.
    if survey.classes[0].casefold() in _BACKGROUNDS:
        return True
    alone = sum(set(item.labels) - {VOID} == {0} for item in survey.items)
    return alone <= max(1, len(survey.items) // 20)


def _numbers(item: Item) -> list[int]:
    return [value for value in item.mask.counts if isinstance(value, int)]
