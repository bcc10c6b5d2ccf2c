"""Propose a list of classes from the values or colours of the masks."""

from collections import Counter
from collections.abc import Iterable, Mapping

from fullconv.data.survey.encoding import format_value
from fullconv.data.survey.scan import MaskFacts, Value, is_jpeg
from fullconv.data.survey.survey import Survey
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, VOID_COLOR
from fullconv.units import count

MAX_FOUND = 64  # values or colours: more are noise
SMALL_255 = 0.01  # share of the pixels up to which an undecided 255 is proposed as ignored


def propose_classes(survey: Survey) -> tuple[list[str], str]:
    """Return the lines of classes.txt, and what they say of 255; "" if 255 does not occur.

    Raises:
        DataError: masks are no image files, or hold too many values for classes.
    """
    masks = [item.mask for item in survey.items if survey.masks_are_files]
    masks = [mask for mask in masks if mask.counts and not (mask.fault or is_jpeg(mask.header))]
    if 2 * sum(mask.colored for mask in masks) > len(masks):
        found = _total(mask for mask in masks if mask.colored)
    else:
        found = _total(mask for mask in masks if not mask.colored)
    if not 0 < len(found) <= MAX_FOUND:
        raise DataError(
            f"{count(len(found), 'value')} in the masks that can be read",
            expected=f"1 to {MAX_FOUND}, one for each class",
            remedy="correct what the check finds first",
            where=survey.source,
        )
    if any(isinstance(value, tuple) for value in found):
        return _color_lines(found), ""
    return _value_lines(survey, found)


def _total(masks: Iterable[MaskFacts]) -> Counter[Value]:
    total: Counter[Value] = Counter()
    for mask in masks:
        total.update(mask.counts)
    return total


def _color_lines(found: Mapping[Value, int]) -> list[str]:
    ranked = sorted(found, key=lambda color: (-found[color], format_value(color)))
    ignored = [f"{VOID} void {format_value(VOID_COLOR)}"] * (VOID_COLOR in found)
    colors = [color for color in ranked if color != VOID_COLOR]
    lines = [f"{label} class {label} {format_value(color)}" for label, color in enumerate(colors)]
    return lines + ignored


def _value_lines(survey: Survey, found: Mapping[Value, int]) -> tuple[list[str], str]:
    names = {value: f"class {value}" for value in sorted(v for v in found if isinstance(v, int))}
    share = found.get(VOID, 0) / sum(found.values())
    known = survey.table.indices.mapping if survey.table else {}
    names |= {v: survey.classes[k] for v, k in known.items() if v in found and k != VOID}
    if known.get(VOID) == VOID or (VOID not in known and 0 < share <= SMALL_255):
        names[VOID] = "void"
    lines = [f"{value} {name}" for value, name in sorted(names.items()) if value in found]
    if VOID not in found:
        return lines, ""
    covers = f"255 covers {100 * share:.1f} % of the pixels"
    if names[VOID] == "void":
        return lines, f"{covers} and is written as ignored; name it if it is a class"
    return lines, f'{covers} and is written as a class; name it "void" if it is to be ignored'
