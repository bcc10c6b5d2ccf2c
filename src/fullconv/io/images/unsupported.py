"""Recognize, by their suffixes, picture files that are not read, so none is left out silently."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping

from fullconv.io.images import heif

_HEIC = 'install the extra "fullconv[heic]", or save as PNG or JPEG'
_CONVERT = "save as PNG or JPEG"
_EXPORT = "export as PNG or JPEG"
_MASKS = "save as PNG (masks: class numbers in 8-bit grey)"

_REMEDIES = {
    **dict.fromkeys((".jfif", ".jpe", ".jif", ".pjpeg", ".pjp"), "rename to .jpg"),
    **dict.fromkeys(() if heif.IS_INSTALLED else heif.SUFFIXES, _HEIC),
    **dict.fromkeys((".jxl", ".gif", ".apng"), _CONVERT),
    **dict.fromkeys((".jp2", ".j2k", ".jpx", ".jpf", ".jxr", ".wdp", ".ico", ".tga"), _CONVERT),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pcx", ".sgi", ".dib"), _CONVERT),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"), _EXPORT),
    **dict.fromkeys((".psd", ".xcf", ".svg", ".eps", ".exr", ".hdr", ".dds", ".fits"), _EXPORT),
    **dict.fromkeys((".dcm", ".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".czi"), _EXPORT),
    **dict.fromkeys((".npy", ".npz"), _MASKS),
}
"""Suffix -> what to do with such files."""


def unsupported_suffix(name: str | os.PathLike[str]) -> str:
    """Return the suffix, in lower case, of a picture file that is not read; else ""."""
    low = os.fsdecode(name).lower()
    return next((suffix for suffix in _REMEDIES if low.endswith(suffix)), "")


def count_unsupported(names: Iterable[str | os.PathLike[str]]) -> dict[str, int]:
    """Count the picture files that are not read: suffix -> number, the most frequent first.

    Args:
        names: files of any kind; others are not counted.
    """
    counts = Counter(filter(None, map(unsupported_suffix, names)))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def describe_unsupported(counts: Mapping[str, int]) -> str:
    """Return "5 .heic, 1 .gif (save as PNG or JPEG); 1 .jfif (rename to .jpg)", or ""."""
    groups: dict[str, list[str]] = {}
    for suffix, number in counts.items():
        groups.setdefault(_REMEDIES[suffix], []).append(f"{number} {suffix}")
    return "; ".join(f"{', '.join(found)} ({remedy})" for remedy, found in groups.items())
