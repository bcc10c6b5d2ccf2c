"""Check that files can be read, and for sizes and pixel types that cause problems."""

from collections import Counter
from collections.abc import Iterator

from fullconv.data.checks import checks
from fullconv.data.labels.masks import size_remedy
from fullconv.data.survey.finding import Finding
from fullconv.data.survey.scan import MaskFacts, PhotoFacts
from fullconv.data.survey.survey import Survey
from fullconv.io.images import Header

MIN_SIDE = 32  # pixels: the coarsest stride; a smaller photo has a single score per class
MAX_PIXELS = 50_000_000  # larger photos are better downscaled or tiled

_EXPECTED = {
    "broken-link": ("a file", "correct the link, or copy the file"),
    "missing": ("a file", "add it, or remove it from the list"),
    "unreadable": ("a readable file", "chmod a+r FILE"),
    "empty-file": ("an image", "copy the original again, or remove the pair"),
    "damaged": ("a complete image", "copy the original again, or remove the pair"),
    "labels-refused": ("valid labels of this format", "export them again"),
    "value-outside": ("a declared class", "declare the class, or correct these pixels"),
    "palette": ("a palette in the declared colours", "save the mask in the declared colours"),
    "transparent-mask": ("an opaque mask", "save it without transparency"),
    "lossy-mask": ("PNG", "export the masks again as PNG"),
    "16-bit": ("8 or 16 bits", "save the photo as 16-bit grey or RGB"),
    "too-large": ("at most 250 million pixels", "cut it into tiles"),
}
_SUFFIXES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
_KINDS = {"1": "grey", "L": "grey", "LA": "grey", "CMYK": "CMYK", "I": "grey", "F": "grey"}
_KINDS |= {"I;16": "grey", "I;16B": "grey"}


@checks.register("files")
def files(survey: Survey) -> Iterator[Finding]:
    """Yield findings on unreadable files, then on sizes, then on pixel types."""
    for item in survey.items:
        for facts in (item.photo, item.mask):
            if facts.fault:
                expected, remedy = _EXPECTED[facts.fault.code]
                yield survey.error(
                    facts.fault.code,
                    facts.path,
                    facts.fault.found,
                    facts.fault.expected or expected,
                    facts.fault.remedy or remedy,
                )
        if item.photo.header and item.mask.header:
            yield from _sizes(survey, item.photo, item.mask, item.photo.header, item.mask.header)
        if item.photo.header and survey.photos_are_files:
            yield from _kind(survey, item.photo, item.photo.header)
    yield from _mixed(survey)
    yield from _mixed_depth(survey)


def _sizes(
    survey: Survey, photo: PhotoFacts, mask: MaskFacts, shown: Header, stored: Header
) -> Iterator[Finding]:
    if shown.orientation > 4 and stored.size == shown.stored != shown.size:
        yield survey.warning(
            "exif-rotation",
            mask.path,
            f"{_size(stored.size)}; the photo is stored as {_size(shown.stored)} and displayed as "
            f"{_size(shown.size)} (EXIF orientation {shown.orientation})",
            "a mask of the photo as displayed",
            "none needed: the mask is rotated like its photo; check the pair visually",
        )
    elif shown.orientation > 1 and shown.size == shown.stored == stored.size:
        yield survey.note(
            "exif-unclear",
            mask.path,
            f"the photo is displayed turned or mirrored (EXIF orientation {shown.orientation}); a "
            f"mask of it as stored would have {_size(stored.size)} pixels too",
            "a mask of the photo as displayed",
            "check the pair visually; if the mask is of the photo as stored, turn it",
        )
    elif shown.size != stored.size:
        yield survey.error(
            "size-mismatch",
            mask.path,
            f"{_size(stored.size)} pixels (height x width), its photo has {_size(shown.size)}",
            "equal sizes",
            size_remedy(stored.size, shown.size),
        )
    height, width = shown.size
    if min(height, width) < MIN_SIDE:
        yield survey.warning(
            "tiny",
            photo.path,
            f"{_size(shown.size)} pixels",
            f"at least {MIN_SIDE} pixels per side, the coarsest stride",
            "enlarge or remove the pair",
        )
    if height * width > MAX_PIXELS:
        yield survey.warning(
            "too-large",
            photo.path,
            f"{height * width / 1e6:.0f} million pixels",
            f"at most {MAX_PIXELS / 1e6:.0f} million for training in memory",
            "train with --size HxW, or cut it into tiles",
        )


def _kind(survey: Survey, photo: PhotoFacts, header: Header) -> Iterator[Finding]:
    if header.deep and survey.value_range is None:
        yield survey.error(
            "16-bit",
            photo.path,
            f"pixel type {header.mode!r}: more than 8 bits per channel, but no value range is "
            "known, since the photos of train have 8",
            "8 bits, or photos with as many bits in train (PNG and TIFF with their own suffix)",
            "convert it to 8 bits with a value range of your choice, or open it as rasters:FOLDER",
        )
    if header.mode in ("RGBA", "PA", "LA"):
        clear = "" if photo.opaque == 1 else f", {100 * (1 - photo.opaque):.0f} % not opaque"
        yield survey.warning(
            "alpha",
            photo.path,
            f"{header.mode}: an alpha channel{clear}",
            "an opaque image",
            "the alpha channel is dropped; to choose the background, save the photo as RGB",
        )
    usual = _SUFFIXES.get(header.format, ())
    if usual and photo.path.suffix.lower() not in usual:
        yield survey.note(
            "wrong-suffix",
            photo.path,
            f"a {header.format} file",
            f"a {photo.path.suffix} file",
            f"rename it to {usual[0]}; it is read correctly either way",
        )


def _mixed(survey: Survey) -> Iterator[Finding]:
    headers = [(item.photo, item.photo.header) for item in survey.items if item.photo.header]
    kinds = Counter(_KINDS.get(header.mode, "colour") for _, header in headers)
    if len(kinds) < 2 or not survey.photos_are_files:
        return
    usual, number = kinds.most_common(1)[0]
    for photo, header in headers:
        kind = _KINDS.get(header.mode, "colour")
        if kind != usual:
            yield survey.warning(
                "mixed-channels",
                photo.path,
                f"{kind} ({header.mode})",
                f"{usual}, as {number} of {len(headers)} photos are",
                "it is converted to RGB; export it like the others if colours matter",
            )


def _mixed_depth(survey: Survey) -> Iterator[Finding]:
    """Yield a finding for each photo with 8 bits among deeper ones, or the reverse."""
    if survey.value_range is None:
        return
    headers = [(item.photo, item.photo.header) for item in survey.items if item.photo.header]
    deep = sum(header.deep for _, header in headers)
    few, many = ("more than 8", "8") if 2 * deep < len(headers) else ("8", "more than 8")
    number = max(deep, len(headers) - deep)
    for photo, header in headers if 0 < deep < len(headers) else ():
        if header.deep == (few != "8"):
            yield survey.warning(
                "mixed-depth",
                photo.path,
                f"{few} bits a channel",
                f"{many}, as {number} of {len(headers)} photos have",
                "8-bit photos are used as they are and others scaled, so both have to look alike; "
                "export it like the others",
            )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
