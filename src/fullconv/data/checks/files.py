"""Files that cannot be read, or are not what a photo or a mask should be."""

from collections import Counter
from collections.abc import Iterator

from fullconv.data.checks import checks
from fullconv.data.checks._finding import Finding
from fullconv.data.checks._scan import MaskFacts, PhotoFacts
from fullconv.data.checks._survey import Survey
from fullconv.data.labels.masks import size_remedy
from fullconv.io.images import Header

SMALLEST = 32  # pixels: the coarsest stride; a smaller photo has one score for all of it
LARGEST = 50_000_000  # pixels of a photo that is better scaled down or tiled

_EXPECTED = {
    "broken-link": ("a file", "link to where the file is, or copy it here"),
    "missing": ("a file", "add it, or take it out of the list"),
    "unreadable": ("a file that may be read", "chmod a+r FILE"),
    "empty-file": ("a picture", "copy it again from where it came from, or take the pair out"),
    "damaged": ("a whole picture", "copy it again from where it came from, or take the pair out"),
    "labels-refused": ("labels as this format has them", "export them again"),
    "value-outside": ("a declared class", "declare the class, or draw these pixels anew"),
    "too-large": ("at most 250 million pixels", "cut it into smaller pictures"),
}
_SUFFIXES = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
_KINDS = {"1": "grey", "L": "grey", "LA": "grey", "CMYK": "CMYK"}


@checks.register("files")
def files(survey: Survey) -> Iterator[Finding]:
    """Damage first, then sizes, then kinds of pixels."""
    for item in survey.items:
        for facts in (item.photo, item.mask):
            if facts.fault:
                expected, remedy = _EXPECTED[facts.fault.code]
                yield survey.about(
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


def _sizes(
    survey: Survey, photo: PhotoFacts, mask: MaskFacts, one: Header, other: Header
) -> Iterator[Finding]:
    if one.orientation > 4 and other.size == one.stored != one.size:
        yield survey.warn(
            "exif-rotation",
            mask.path,
            f"{_size(other.size)}, but the photo is {_size(one.stored)} and shown as "
            f"{_size(one.size)} (EXIF orientation {one.orientation})",
            "a mask of the photo as shown",
            "nothing to do: the mask is turned like its photo; look at the pair all the same",
        )
    elif one.size != other.size:
        yield survey.about(
            "size-mismatch",
            mask.path,
            f"{_size(other.size)} pixels (height x width), its photo {_size(one.size)}",
            "one size",
            size_remedy(other.size, one.size),
        )
    height, width = one.size
    if min(height, width) < SMALLEST:
        yield survey.warn(
            "tiny",
            photo.path,
            f"{_size(one.size)} pixels",
            f"at least {SMALLEST} pixels each way, the stride of the coarsest score",
            "enlarge the pair, or take it out",
        )
    if height * width > LARGEST:
        yield survey.warn(
            "too-large",
            photo.path,
            f"{height * width / 1e6:.0f} million pixels",
            f"at most {LARGEST / 1e6:.0f} million for training in memory",
            "train with --size HxW, or cut it into tiles",
        )


def _kind(survey: Survey, photo: PhotoFacts, header: Header) -> Iterator[Finding]:
    if header.mode.startswith(("I", "F")):
        yield survey.about(
            "16-bit",
            photo.path,
            f"a photo of type {header.mode!r}: more than 8 bits a channel",
            "8-bit grey or colour",
            "convert it, choosing what becomes black and white; or open it as rasters:FOLDER",
        )
    if header.mode in ("RGBA", "PA", "LA"):
        clear = "" if photo.opaque == 1 else f", {100 * (1 - photo.opaque):.0f} % not opaque"
        yield survey.warn(
            "alpha",
            photo.path,
            f"{header.mode}: an alpha channel{clear}",
            "colour without transparency",
            "the alpha channel is dropped; save it as RGB to choose what lies behind",
        )
    usual = _SUFFIXES.get(header.format, ())
    if usual and photo.path.suffix.lower() not in usual:
        yield survey.tell(
            "wrong-suffix",
            photo.path,
            f"a {header.format}",
            f"what its name says: {photo.path.suffix}",
            f"rename it to end in {usual[0]}; it is read all the same",
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
            yield survey.warn(
                "mixed-channels",
                photo.path,
                f"{kind} ({header.mode})",
                f"{usual}, as {number} of {len(headers)} photos are",
                "it is converted to RGB; export it like the others if it should look like them",
            )


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
