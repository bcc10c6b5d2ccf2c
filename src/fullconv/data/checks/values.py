"""Check for mask values that are not a class, and explain them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from fullconv.data.checks import checks
from fullconv.data.labels.ignore_value import OPEN
from fullconv.data.survey.encoding import format_value
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.scan import Value, is_jpeg
from fullconv.data.survey.survey import Item, Survey
from fullconv.io.palettes import VOID

NOISE_VALUES = 12  # unknown values in one mask from which they are noise, not classes
MAX_LINES = 8  # of classes.txt that a remedy lists
NOISE_COLORS = 64  # the same for colours: data sets have up to several dozen
_LABEL_IDS = 33  # the highest of Cityscapes' labelIds; 19 of them are trained


@checks.register("values")
def values(survey: Survey) -> Iterator[Finding]:
    """Yield findings on all masks together, then on each mask."""
    explained = [*_open(survey)] or ([*_common(survey)] if survey.masks_are_files else [])
    yield from explained
    yield from _in_order(survey)
    readable = [item for item in survey.items if survey.masks_are_files and not item.mask.fault]
    colored = [item for item in readable if _lacks_colors(survey, item)]
    lines = _lines(colored)
    for item in readable:
        if _lacks_colors(survey, item):
            yield _colored(survey, item, lines, 2 * len(colored) > len(readable))
        else:
            yield from _values(survey, item, bool(explained))
    unread = all(item.mask.fault or is_jpeg(item.mask.header) for item in survey.items)
    if survey.refusal and survey.items and not (explained or colored or unread):
        yield survey.error(
            "classes-unknown",
            _mask_folder(survey),
            survey.refusal.problem + (f"; {_share_of_255(survey)}" if _has_255(survey) else ""),
            survey.refusal.expected or "declared classes, or mask values 0, 1, 2, ...",
            survey.refusal.remedy or "write classes.txt with one class per line",
        )


def _mask_folder(survey: Survey) -> Path | str:
    return next((item.mask.path.parent for item in survey.items), survey.source)


def _open(survey: Survey) -> Iterator[Finding]:
    refusal = survey.refusal
    if refusal and refusal.code == OPEN:
        folder = _mask_folder(survey)
        found = f"{refusal.found}; {_share_of_255(survey)}"
        yield survey.error("binary-mask", folder, found, refusal.expected, refusal.remedy)


def _has_255(survey: Survey) -> bool:
    return survey.masks_are_files and any(VOID in item.mask.counts for item in survey.items)


def _share_of_255(survey: Survey) -> str:
    masks = [item.mask for item in survey.items if not item.mask.colored]
    total = sum(sum(mask.counts.values()) for mask in masks)
    share = 100 * sum(mask.counts.get(VOID, 0) for mask in masks) / max(1, total)
    return f"255 covers {share:.1f} % of the pixels"


def _in_order(survey: Survey) -> Iterator[Finding]:
    if survey.table and survey.table.note:
        yield survey.note(
            "values-in-order",
            _mask_folder(survey),
            survey.table.note,
            "a number before each name in classes.txt",
            "none needed if this is the order; otherwise number the lines, e.g. "
            f'"{min(survey.table.indices.mapping)} {survey.classes[0]}"',
        )


def _common(survey: Survey) -> Iterator[Finding]:
    good = [item for item in survey.items if not (item.mask.fault or item.mask.colored)]
    good = [item for item in good if not is_jpeg(item.mask.header) and item.mask.counts]
    used = [{v for v in item.mask.counts if isinstance(v, int)} for item in good]
    values = set().union(*used) - {VOID}
    declared = len(survey.classes)
    if not values or max(map(len, used)) > 256:
        return
    listed = ", ".join(map(str, sorted(values)[:12])) + (", ..." if len(values) > 12 else "")
    if values == {0} and any(VOID in mask for mask in used):
        yield from _binary(survey, len(good))
    elif _looks_like_ids(survey, values, declared):
        yield survey.error(
            "label-ids",
            _mask_folder(survey),
            f"the values {listed}: Cityscapes' labelIds",
            "the 19 trained classes, numbered 0 to 18",
            "open it as cityscapes:FOLDER, or number the lines of classes.txt by labelIds (7 road, "
            "8 sidewalk, 11 building, ...)",
        )
    elif _from_one(survey, used, values):
        zero = 0 in values
        lines = "0 __ignore__, 1 NAME, ..." if zero else "1 NAME, 2 NAME, ..."
        yield survey.error(
            "ids-from-1",
            _mask_folder(survey),
            f"the values {listed}: ids start at 1{', and 0 is unlabelled' if zero else ''}",
            f"0 to {declared - 1}" if declared else "0, 1, 2, ...",
            f"number the lines of classes.txt: {lines}",
        )


def _binary(survey: Survey, number: int) -> Iterator[Finding]:
    label = survey.table.indices.mapping.get(VOID, VOID) if survey.table else VOID
    if label == VOID or survey.table is None or survey.table.rule.endswith("as declared"):
        return
    yield survey.note(
        "binary-mask",
        _mask_folder(survey),
        f"{number} masks have only the values 0 and 255: binary masks",
        "0 and 1, and 255 for ignored pixels",
        f"255 is read as {survey.classes[label]!r}; if it should be ignored instead, number the "
        'lines of classes.txt and add "255 void"',
    )


def _looks_like_ids(survey: Survey, values: set[int], declared: int) -> bool:
    if all(_is_class(survey, value) for value in values):
        return False  # the table maps them
    named = any("labelids" in item.mask.path.name.casefold() for item in survey.items[:20])
    largest = max(values)
    if named and largest >= max(declared, 1) and survey.layout == "folders":
        return True
    return declared == 19 and declared <= largest <= _LABEL_IDS and len(values) > 2


def _from_one(survey: Survey, used: list[set[int]], values: set[int]) -> bool:
    declared = len(survey.classes) or len(values - {0})
    camvid = survey.layout == "camvid"  # its void index follows the last class
    if max(values) not in ((declared, declared + 1) if camvid else (declared,)):
        return False
    if not camvid and survey.table and all(_is_class(survey, value) for value in values):
        return False  # as declared in classes.txt
    if 0 not in values:
        return len(values) > 1 and min(values) == 1
    last = sum(declared in mask for mask in used)
    return bool(survey.classes) and not camvid and len(used) >= 4 and last >= max(2, len(used) / 4)


def _is_class(survey: Survey, value: int) -> bool:
    return survey.table is not None and value in survey.table.indices.mapping


def _lacks_colors(survey: Survey, item: Item) -> bool:
    if is_jpeg(item.mask.header):
        return False
    return item.mask.colored and not (survey.table and survey.table.colors)


def _colored(survey: Survey, item: Item, lines: str, usual: bool) -> Finding:
    number = len(item.mask.counts)
    declare = f"list each class with its colour in classes.txt, one per line: {lines}"
    if survey.layout == "folders" and not (survey.inventory and survey.inventory.declared):
        declare += "; fullconv check DATA --write-classes writes it, with names to be edited"
    export = "export it with class indices, like the other masks"
    return survey.error(
        "rgb-mask",
        item.mask.path,
        f"{number} colour{'s' * (number > 1)}: {_colors(item)}",
        "class indices, or declared colours",
        declare if usual else export,
    )


def _values(survey: Survey, item: Item, explained: bool) -> Iterator[Finding]:
    if is_jpeg(item.mask.header):
        return
    unknown = _unknown(survey, item)
    noise = len(unknown) >= (NOISE_COLORS if item.mask.colored else NOISE_VALUES)
    if noise or item.mask.is_interpolated(frozenset() if unknown else survey.thin):
        yield survey.error(
            "interpolated-mask",
            item.mask.path,
            f"{len(item.mask.counts)} different values, {len(unknown)} of them not a class; "
            f"{100 * item.mask.fringe:.0f} % of the edges pass through intermediate values",
            "sharp edges between classes",
            "export the masks again; resize them with nearest-neighbour interpolation only",
        )
    elif unknown and not explained:
        yield _outside(survey, item, unknown)


def _outside(survey: Survey, item: Item, unknown: dict[Value, int]) -> Finding:
    shown = ", ".join(f"{format_value(v)} ({n:,} pixels)" for v, n in [*unknown.items()][:4])
    accepted = survey.table.indices.accepted if survey.table else ""
    names = f"{len(survey.classes)} classes ({accepted})"
    first = next(iter(unknown))
    remedy = (
        f'number the lines of classes.txt and add "{first} NAME", or "{first} __ignore__" to '
        "ignore it"
        if isinstance(first, int)
        else f'add "NAME {format_value(first)}" to classes.txt, or correct these pixels'
    )
    return survey.error(
        "value-outside",
        item.mask.path,
        f"the value {shown}",
        names,
        remedy,
    )


def _unknown(survey: Survey, item: Item) -> dict[Value, int]:
    table = survey.table
    if table is None or (item.labels and None not in item.labels):
        return {}
    known = table.indices.mapping
    counts, colors = item.mask.counts, table.color_labels
    if table.grey_colors and not item.mask.colored:
        return {value: number for value, number in counts.items() if (value,) * 3 not in colors}
    return {v: n for v, n in counts.items() if v not in (colors if item.mask.colored else known)}


def _colors(item: Item) -> str:
    ranked = sorted(item.mask.counts, key=lambda value: -item.mask.counts[value])
    shown = ", ".join(format_value(value) for value in ranked[:3])
    return shown + (", ..." if len(ranked) > 3 else "")


def _lines(items: Sequence[Item]) -> str:
    """Return lines of classes.txt for the most frequent colours of these masks."""
    total: Counter[Value] = Counter()
    for item in items:
        total.update(item.mask.counts)
    shown = [f'"NAME {format_value(value)}"' for value, _ in total.most_common(MAX_LINES)]
    return ", ".join(shown) + (", ..." if len(total) > MAX_LINES else "")
