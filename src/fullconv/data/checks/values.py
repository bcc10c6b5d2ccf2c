"""Values of masks that are no class, and what explains them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from fullconv.data.checks import checks
from fullconv.data.checks._encoding import written
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._scan import FRINGED, Value, is_jpeg
from fullconv.data.checks._survey import Item, Survey
from fullconv.io.palettes import VOID

MANY = 12  # values of no class in one mask, from which they are noise and not classes
MOST_LINES = 8  # of a classes.txt that a remedy spells out
MANY_COLORS = 64  # the same for colours: data sets have up to some dozens
_LABEL_IDS = 33  # the highest of Cityscapes' labelIds, of which 19 are trained


@checks.register("values")
def values(survey: Survey) -> Iterator[Finding]:
    """What explains all masks at once, then each mask on its own."""
    explained = [*_of_all(survey)] if survey.masks_are_files else []
    yield from explained
    readable = [item for item in survey.items if survey.masks_are_files and not item.mask.fault]
    colored = [item for item in readable if _lacks_colors(survey, item)]
    lines = _lines(colored)
    for item in readable:
        if _lacks_colors(survey, item):
            yield _colored(survey, item, lines, 2 * len(colored) > len(readable))
        else:
            yield from _values(survey, item, bool(explained))
    if survey.refusal and survey.items and not (explained or colored):
        yield survey.about(
            "classes-unknown",
            _place(survey),
            survey.refusal.problem,
            survey.refusal.expected or "declared classes, or masks that hold 0, 1, 2, ...",
            survey.refusal.remedy or "write classes.txt with one class a line",
        )


def _place(survey: Survey) -> Path | str:
    return next((item.mask.path.parent for item in survey.items), survey.source)


def _of_all(survey: Survey) -> Iterator[Finding]:
    good = [item for item in survey.items if not (item.mask.fault or item.mask.colored)]
    good = [item for item in good if not is_jpeg(item.mask.header) and item.mask.counts]
    used = [{v for v in item.mask.counts if isinstance(v, int)} for item in good]
    values = set().union(*used) - {VOID}
    declared = len(survey.classes)
    if not values or max(map(len, used)) > 256:
        return
    every = ", ".join(map(str, sorted(values)[:12])) + (", ..." if len(values) > 12 else "")
    if values == {0} and any(VOID in one for one in used):
        yield from _binary(survey, len(good))
    elif _looks_like_ids(survey, values, declared):
        yield survey.about(
            "label-ids",
            _place(survey),
            f"the values {every}: Cityscapes' labelIds",
            "the 19 trained classes, numbered 0 to 18",
            "open them as cityscapes:FOLDER, or number classes.txt by labelIds (7 road, 8 "
            "sidewalk, 11 building, ...)",
        )
    elif _from_one(survey, used, values):
        void = "" if 0 not in values else ", and 0 where nothing is"
        first = "1 NAME, 2 NAME, ..." if not void else "0 __ignore__, 1 NAME, ..."
        yield survey.about(
            "ids-from-1",
            _place(survey),
            f"the values {every}: ids count from 1{void}",
            f"0 to {declared - 1}" if declared else "0, 1, 2, ...",
            f"number the lines of classes.txt: {first}",
        )


def _binary(survey: Survey, number: int) -> Iterator[Finding]:
    if len(survey.classes) == 2:
        yield survey.tell(
            "binary-mask",
            _place(survey),
            f"{number} masks hold 0 and 255 only: binary",
            "0 and 1, and 255 for void",
            f'255 is taken for {survey.classes[1]!r}; if it is void, add the line "255 void" to '
            "classes.txt",
        )
    else:
        yield survey.about(
            "binary-mask",
            _place(survey),
            f"{number} masks hold 0 and 255 only: binary, of which 255 would be void",
            f"{len(survey.classes)} classes",
            "declare two classes, or export the masks with class numbers",
        )


def _looks_like_ids(survey: Survey, values: set[int], declared: int) -> bool:
    if all(_is_class(survey, value) for value in values):
        return False  # the table is made for them
    named = any("labelids" in item.mask.path.name.casefold() for item in survey.items[:20])
    most = max(values)
    if named and most >= max(declared, 1) and survey.layout == "folders":
        return True
    return declared == 19 and declared <= most <= _LABEL_IDS and len(values) > 2


def _from_one(survey: Survey, used: list[set[int]], values: set[int]) -> bool:
    declared = len(survey.classes) or len(values - {0})
    camvid = survey.layout == "camvid"  # whose void is the number behind the last class
    if max(values) not in ((declared, declared + 1) if camvid else (declared,)):
        return False
    if not camvid and survey.table and all(_is_class(survey, value) for value in values):
        return False  # classes.txt says so
    if 0 not in values:
        return len(values) > 1 and min(values) == 1
    last = sum(declared in one for one in used)
    return bool(survey.classes) and not camvid and len(used) >= 4 and last >= max(2, len(used) / 4)


def _is_class(survey: Survey, value: int) -> bool:
    return survey.table is not None and value in survey.table.indices.mapping


def _lacks_colors(survey: Survey, item: Item) -> bool:
    if is_jpeg(item.mask.header):
        return False
    return item.mask.colored and not (survey.table and survey.table.colors)


def _colored(survey: Survey, item: Item, lines: str, usual: bool) -> Finding:
    number = len(item.mask.counts)
    declare = f"write each class with its colour into classes.txt, one a line: {lines}"
    alone = "export it with class numbers, as the other masks are"
    return survey.about(
        "rgb-mask",
        item.mask.path,
        f"{number} colour{'s' * (number > 1)}: {_colors(item)}",
        "class numbers, or declared colours",
        declare if usual else alone,
    )


def _values(survey: Survey, item: Item, explained: bool) -> Iterator[Finding]:
    if is_jpeg(item.mask.header):
        return
    unknown = _unknown(survey, item)
    noise = len(unknown) >= (MANY_COLORS if item.mask.colored else MANY)
    if noise or (item.mask.fringe > FRINGED and not item.mask.colored):
        yield survey.about(
            "interpolated-mask",
            item.mask.path,
            f"{len(item.mask.counts)} different values, {len(unknown)} of them no class; "
            f"{100 * item.mask.fringe:.0f} % of the edges pass through values between",
            "sharp edges between classes",
            "resize masks with the nearest neighbour only; export them again",
        )
    elif unknown and not explained:
        yield _outside(survey, item, unknown)


def _outside(survey: Survey, item: Item, unknown: dict[Value, int]) -> Finding:
    shown = ", ".join(f"{written(v)} at {n:,} pixels" for v, n in [*unknown.items()][:4])
    names = f"{len(survey.classes)} classes (0 to {len(survey.classes) - 1}; 255 is void)"
    first = next(iter(unknown))
    remedy = (
        f'number the lines of classes.txt and add "{first} NAME", or "{first} __ignore__" to leave '
        "the value out"
        if isinstance(first, int)
        else f'add "NAME {written(first)}" to the classes, or draw these pixels anew'
    )
    return survey.about(
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
    if not item.mask.colored:
        return {value: number for value, number in item.mask.counts.items() if value not in known}
    colors = getattr(table.colors, "table", table.colors)
    mapping = getattr(colors, "mapping", {})
    return {value: number for value, number in item.mask.counts.items() if value not in mapping}


def _colors(item: Item) -> str:
    most = sorted(item.mask.counts, key=lambda value: -item.mask.counts[value])
    return ", ".join(written(value) for value in most[:3]) + (", ..." if len(most) > 3 else "")


def _lines(items: Sequence[Item]) -> str:
    """The lines of a classes.txt for the most frequent colours of these masks."""
    total: Counter[Value] = Counter()
    for item in items:
        total.update(item.mask.counts)
    shown = [f'"NAME {written(value)}"' for value, _ in total.most_common(MOST_LINES)]
    return ", ".join(shown) + (", ..." if len(total) > MOST_LINES else "")
