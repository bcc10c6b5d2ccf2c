"""How the masks show their classes, and which of their values are no class."""

from collections.abc import Iterator
from pathlib import Path

from fullconv.checks import checks
from fullconv.checks._finding import Finding
from fullconv.checks._scan import FRINGED, Value
from fullconv.checks._survey import Item, Survey, is_jpeg
from fullconv.sample import VOID

MANY = 12  # values of no class in one mask, from which they are noise and not classes
MANY_COLORS = 64  # the same for colours: data sets have up to some dozens
_LABEL_IDS = 33  # the highest of Cityscapes' labelIds, of which 19 are trained
_BACKGROUNDS = ("background", "_background_", "bg", "other")


@checks.register("masks")
def masks(survey: Survey) -> Iterator[Finding]:
    """What explains all masks at once, then each mask on its own."""
    explained = [*_of_all(survey)]
    yield from explained
    for item in survey.items:
        if item.mask.fault:
            continue
        if survey.inventory:
            yield from _format(survey, item)
        yield from _values(survey, item, bool(explained))
        yield from _empty(survey, item)
    if survey.refusal and survey.items and not explained:
        yield survey.about(
            "classes-unknown",
            _place(survey),
            survey.refusal.partition("; ")[0],
            "declared classes, or masks that hold 0, 1, 2, ...",
            "write classes.txt with one class a line",
        )


def encodings(survey: Survey) -> dict[str, int]:
    """How many masks are of which kind, the most frequent first."""
    kinds: dict[str, int] = {}
    for item in survey.items:
        if not item.mask.fault and item.mask.header:
            kind = _encoding(survey, item)
            kinds[kind] = kinds.get(kind, 0) + 1
    return dict(sorted(kinds.items(), key=lambda one: -one[1]))


def _encoding(survey: Survey, item: Item) -> str:
    mode = item.mask.header.mode if item.mask.header else ""
    if survey.inventory is None:
        return "labels made by the format"
    if is_jpeg(item.mask.header):
        return "JPEG"
    if item.mask.colored:
        return "RGB-coded"
    if set(item.mask.counts) == {0, VOID} and len(survey.classes) == 2:
        return "binary 0-255"
    if mode.startswith("I"):
        return "16-bit indices"
    return "palette indices" if mode == "P" else "grey indices"


def _place(survey: Survey) -> Path | str:
    for item in survey.items:
        return item.mask.path.parent if survey.inventory else survey.source
    return survey.source


def _of_all(survey: Survey) -> Iterator[Finding]:
    good = [item for item in survey.items if not (item.mask.fault or item.mask.colored)]
    good = [item for item in good if not is_jpeg(item.mask.header) and item.mask.counts]
    used = [{v for v in item.mask.counts if isinstance(v, int)} for item in good]
    values = set().union(*used) - {VOID}
    declared = len(survey.classes)
    if survey.inventory is None or not values or max(map(len, used)) > 256:
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


def _values(survey: Survey, item: Item, explained: bool) -> Iterator[Finding]:
    if is_jpeg(item.mask.header) or survey.inventory is None:
        return
    if item.mask.colored and not (survey.table and survey.table.colors):
        yield survey.about(
            "rgb-mask",
            item.mask.path,
            f"colours ({len(item.mask.counts)}), e.g. {_colors(item)}",
            "class numbers, or declared colours",
            'write each class with its colour into classes.txt, e.g. "0 road #804080"',
        )
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
    shown = ", ".join(f"{_written(v)} at {n:,} pixels" for v, n in [*unknown.items()][:4])
    names = f"{len(survey.classes)} classes (0 to {len(survey.classes) - 1}; 255 is void)"
    first = next(iter(unknown))
    remedy = (
        f'number the lines of classes.txt and add "{first} NAME", or "{first} __ignore__" to leave '
        "the value out"
        if isinstance(first, int)
        else f'add "NAME {_written(first)}" to the classes, or draw these pixels anew'
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
        if set(item.mask.counts) == {0, VOID} and item.labels.get(VOID, 0) > item.labels[0] / 20:
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
                f"every pixel is {survey.classes[0]!r}",
                "something else in it",
                "nothing to do if it is meant; else label it, or take the pair out",
            )


def _is_background(survey: Survey) -> bool:
    # A photo that is all road is as suspicious, when no other photo is of one class alone.
    if survey.classes[0].casefold() in _BACKGROUNDS:
        return True
    alone = sum(set(item.labels) - {VOID} == {0} for item in survey.items)
    return alone <= max(1, len(survey.items) // 20)


def _numbers(item: Item) -> list[int]:
    return [value for value in item.mask.counts if isinstance(value, int)]


def _colors(item: Item) -> str:
    most = sorted(item.mask.counts, key=lambda value: -item.mask.counts[value])[:3]
    return ", ".join(_written(value) for value in most)


def _written(value: Value) -> str:
    return str(value) if isinstance(value, int) else "#{:02x}{:02x}{:02x}".format(*value)
