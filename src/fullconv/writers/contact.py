"""The answer at a glance: a small photo beside its answer, and sheets of 24 of them."""

from collections.abc import Iterable, Iterator, Sequence

from fullconv.colors import Palette
from fullconv.contactsheet import PAGE, pair, sheet
from fullconv.images import decode_image, encode_jpeg
from fullconv.prediction import Prediction
from fullconv.writers import Kept, Together, Writer, writers


def encode(answer: Prediction) -> bytes:
    """The photo beside its colours over the photo, without name and legend."""
    return encode_jpeg(pair(answer))


def together(
    kept: Sequence[Kept], classes: Sequence[str], palette: Palette
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Sheets in the answers' order: 001.jpg, ...; those of one sheet are in memory at a time."""
    for number, start in enumerate(range(0, len(kept), PAGE), 1):
        yield f"{number:03d}.jpg", [_sheet(kept[start : start + PAGE], classes, palette)]


def _sheet(kept: Sequence[Kept], classes: Sequence[str], palette: Palette) -> bytes:
    pairs = [(answer.id, decode_image(read(), answer.id)) for answer, read in kept]
    found = [
        label
        for label, name in enumerate(classes)
        if any(answer.pixels.get(name) for answer, _ in kept)
    ]
    return encode_jpeg(sheet(pairs, found, classes, palette))


writers.register("contact")(
    Writer(
        ".jpg",
        encode,
        "JPEG: a small photo beside its answer; 24 on each of the contact-sheets",
        together=Together("contact-sheets/", together),
    )
)
