"""Sizes, durations and counts as text: parse what users type, format what they read."""

import re
from collections.abc import Callable
from math import ceil

from fullconv.errors import ConfigError

FACTORS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 image", "2,000 images", "3 classes".

    Args:
        number: how many.
        noun: its singular.
        plural: its plural, if that is not the singular with s or es.
    """
    several = plural or f"{noun}{'es' if noun.endswith(('s', 'x', 'ch')) else 's'}"
    return f"{number:,} {noun if number == 1 else several}"


def parse_bytes(text: str | int) -> int:
    """Return the bytes of a size such as "2GiB", "512M" or "1.5 GB" (always powers of 1024).

    Raises:
        ConfigError: the text is not a size, or the size is zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", str(text), re.IGNORECASE)
    size = int(float(match[1]) * FACTORS[match[2].upper()]) if match else 0
    if size <= 0:
        raise ConfigError(f"memory size {text!r}: expected a size such as 2GiB or 512MiB")
    return size


def format_bytes(size: float, to_int: Callable[[float], int] = round) -> str:
    """Format bytes for people, e.g. "1.5 GiB".

    Args:
        size: bytes.
        to_int: rounds tenths of a unit.
    """
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024 or unit == "GiB":
            break
    return f"{to_int(10 * size) / 10:.1f} {unit}"


def format_bytes_up(size: int) -> str:
    """Format bytes, rounded up: a user who grants what the text says grants enough."""
    return format_bytes(size, ceil)


def format_duration(seconds: float, to_minutes: bool = False) -> str:
    """Format a duration for people: "38 ms", "1.24 s", "41 s", "4 min 12 s" or "2 h 05 min".

    Args:
        seconds: the duration.
        to_minutes: round to whole seconds and minutes ("41 s", "4 min"), for estimates.
    """
    if seconds < 0.1 and not to_minutes:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10 and not to_minutes:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if to_minutes else f"{whole // 60} min {whole % 60:02d} s"


def format_clock(seconds: float) -> str:
    """Format an elapsed time as a clock does: "0:41", "3:52" or "1:02:05"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
