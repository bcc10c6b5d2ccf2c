"""Annotations for CVAT: "CVAT for images 1.1" with masks, and "Segmentation mask 1.1".

CVAT finds the photo of an annotation by its name, so photos have their file names; if two have the
same, the paths that were predicted.
"""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from xml.sax.saxutils import escape, quoteattr

from fullconv.batch.manifest import JobDescription
from fullconv.batch.writers import Collector, StoredFile, Writer, photo_name, writers
from fullconv.batch.writers._regions import class_masks, encoding_bytes
from fullconv.batch.writers.labels import encode as encode_labels
from fullconv.data.labels.patches import cropped
from fullconv.data.labels.run_lengths import encode_run_lengths
from fullconv.data.labels.special_names import is_background
from fullconv.inference.prediction import Prediction
from fullconv.io.palettes import Color, Palette

DATE = (1980, 1, 1, 0, 0, 0)  # of the files in an archive, whose bytes depend on content only


def encode(prediction: Prediction, name: str = "") -> bytes:
    """Return annotations.xml of one photo."""
    image = _image(0, name, prediction.labels.shape, b"".join(_masks(prediction)))
    return b"".join([_head(prediction.classes, prediction.palette), image, _TAIL])


def collect(
    stored: Sequence[StoredFile], job: JobDescription
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield one file of all photos."""
    yield "annotations.xml", _merge(stored, job)


def collect_masks(
    stored: Sequence[StoredFile], job: JobDescription
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the archive of all photos' masks."""
    yield "", _archive(stored, job)


def _merge(stored: Sequence[StoredFile], job: JobDescription) -> Iterator[bytes]:
    yield _head(job.classes, job.palette)
    ordered = sorted(stored, key=lambda pair: pair[0].id)
    names = _names(record.id for record, _ in ordered)
    for number, (name, (record, read)) in enumerate(zip(names, ordered, strict=True)):
        content = read()
        masks = content[content.index(_MASKS_BEGIN) + len(_MASKS_BEGIN) : content.index(_IMAGE_END)]
        yield _image(number, name, (record.height, record.width), masks)
    yield _TAIL


def _names(ids: Iterable[str]) -> list[str]:
    """Return the photos' file names, or their ids if two have the same name."""
    known = list(ids)
    names = [photo_name(input_id) for input_id in known]
    return names if len({*names}) == len(names) else known


def _stems(names: Sequence[str]) -> list[str]:
    """Return the photos' names without suffix, unique and safe as paths in an archive.

    Where stems repeat, the suffix is added (a_png, a_jpg), and where these repeat too, a number.
    """
    paths = [_safe_path(name) for name in names]
    repeated = Counter(str(path.with_suffix("")) for path in paths)
    taken: set[str] = set()
    stems = []
    for path in paths:
        stem = str(path.with_suffix(""))
        if repeated[stem] > 1:
            stem += path.suffix.replace(".", "_")
        base, number = stem, 2
        while stem in taken:
            stem, number = f"{base}-{number}", number + 1
        taken.add(stem)
        stems.append(stem)
    return stems


def _safe_path(name: str) -> PurePosixPath:
    """Return a photo's name as a path that stays in its folder and can be encoded."""
    parts = _UNSAFE.sub("_", name).split("/")
    return PurePosixPath(*[part for part in parts if part.strip(".")] or ["photo"])


_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_MASKS_BEGIN = b'">\n'  # the end of an <image> tag; attributes of masks end in "/>
_IMAGE_END = b"</image>"
_TAIL = b"</annotations>\n"


def _head(classes: Sequence[str], palette: Palette) -> bytes:
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "<version>1.1</version>"]
    lines += ["<meta>", "<task>", "<labels>"]
    for name, color in zip(classes, palette, strict=True):
        inside = f"<name>{escape(name)}</name><color>{_hex(color)}</color><attributes/>"
        lines.append(f"<label>{inside}</label>")
    lines += ["</labels>", "</task>", "</meta>", ""]
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _image(number: int, name: str, size: tuple[int, ...], masks: bytes) -> bytes:
    height, width = size
    tag = f'<image id="{number}" name={quoteattr(name)} width="{width}" height="{height}">\n'
    return tag.encode("utf-8", "backslashreplace") + masks + b"</image>\n"


def _masks(prediction: Prediction) -> Iterator[bytes]:
    for label, mask in class_masks(prediction.labels, prediction.classes):
        patch = cropped(mask)
        height, width = patch.mask.shape
        runs = ", ".join(map(str, encode_run_lengths(patch.mask, by_columns=False)))
        yield (
            f'<mask label={quoteattr(prediction.classes[label])} source="auto" occluded="0" '
            f'rle="{runs}" left="{patch.left}" top="{patch.top}" width="{width}" '
            f'height="{height}" z_order="0"/>\n'
        ).encode()


def _archive(stored: Sequence[StoredFile], job: JobDescription) -> Iterator[bytes]:
    """Yield a zip file: labelmap.txt, the list of photos, and a mask of each."""
    stream = _Pieces()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:

        def add(name: str, content: bytes) -> bytes:
            archive.writestr(zipfile.ZipInfo(name, DATE), content)
            return stream.take()

        ordered = sorted(stored, key=lambda pair: pair[0].id)
        names = _names(record.id for record, _ in ordered)
        stems = _stems(names)
        yield add("labelmap.txt", _labelmap(job.classes, job.palette))
        listed = "".join(f"{stem}\n" for stem in stems)
        yield add("ImageSets/Segmentation/default.txt", listed.encode())
        for stem, (_, read) in zip(stems, ordered, strict=True):
            yield add(f"SegmentationClass/{stem}.png", read())
    yield stream.take()


def _labelmap(classes: Sequence[str], palette: Palette) -> bytes:
    lines = ["# label:color_rgb:parts:actions"]
    if not is_background(classes[0]) and (0, 0, 0) not in palette:
        lines.append("background:0,0,0::")
    for name, color in zip(classes, palette, strict=True):
        lines.append(f"{name}:{','.join(map(str, color))}::")
    return "".join(f"{line}\n" for line in lines).encode()


class _Pieces(io.RawIOBase):
    """A file that keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(content))
        return len(content)

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


writers.register("cvat")(
    Writer(
        ".xml",
        encode,
        "CVAT for images 1.1: one mask per class",
        pixel_bytes=32,
        encoding_bytes=lambda prediction: encoding_bytes(prediction, 16, 64),
        collector=Collector("cvat-import/", collect, r"annotations\.xml"),
        named=encode,
    )
)
writers.register("cvat-masks")(
    Writer(
        ".png",
        encode_labels,
        'indexed PNG for CVAT\'s "Segmentation mask 1.1", in cvat-masks.zip',
        pixel_bytes=4,
        collector=Collector("cvat-masks.zip", collect_masks),
    )
)
