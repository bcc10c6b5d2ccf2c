"""Write suspected label errors for review: a table, pictures, LabelMe files and one COCO file.

Nothing is changed in the data set; `fullconv check --accept` writes corrected copies of the masks.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from fullconv.data.labels.labelme_file import labelme_header, labelme_shape
from fullconv.data.labels.outlines import single_ring
from fullconv.data.labels.polygonize import polygonize
from fullconv.data.labels.run_lengths import encode_run_lengths
from fullconv.data.sample import Data, Sample
from fullconv.evaluation.suspects import Suspect
from fullconv.io.atomic import write_bytes, write_text
from fullconv.io.images import write_image
from fullconv.io.output_text import csv_text, json_bytes, number_cell
from fullconv.io.palettes import VOID, overlay

MARGIN = 24  # pixels of context around a region in its picture
OUTLINE = np.array((255, 0, 255), np.uint8)
LABELME = "suspects.labelme"

Row = Sequence[object]


def write_suspects(folder: Path, suspects: Sequence[Suspect], data: Data) -> list[Path]:
    """Write suspects.csv, suspects.coco.json, suspects.labelme/ and pictures in suspects/.

    The images are read again, one at a time.

    Raises:
        OutputError: the folder cannot be written.
    """
    table = csv_text(_rows(suspects, data.classes))
    by_image: dict[str, list[tuple[int, Suspect]]] = {}
    for rank, suspect in enumerate(suspects, 1):
        by_image.setdefault(suspect.name, []).append((rank, suspect))
    images, annotations = [], []
    for number, (name, ranked) in enumerate(by_image.items(), 1):
        sample = data[data.names.index(name)]
        for rank, suspect in ranked:
            picture = draw_suspect(sample, suspect, data)
            write_image(folder / "suspects" / f"{rank:04d}_{name}.png", picture)
            annotations.append(_coco_annotation(rank, number, suspect, sample.labels.shape))
        height, width = sample.labels.shape
        images.append({"id": number, "file_name": f"{name}.png", "height": height, "width": width})
        write_image(folder / LABELME / f"{name}.png", sample.image)
        content = _labelme(sample, [suspect for _, suspect in ranked], data)
        write_bytes(folder / LABELME / f"{name}.json", json_bytes(content, indent=2))
    categories = [{"id": label, "name": name} for label, name in enumerate(data.classes)]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    write_bytes(folder / "suspects.coco.json", json_bytes(coco))
    write_text(folder / "suspects.csv", table)
    return [folder / name for name in ("suspects.csv", "suspects.coco.json", LABELME, "suspects")]


def draw_suspect(
    sample: Sample, suspect: Suspect, data: Data
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draw a region: the photo with its outline, its labels, and the labels as expected."""
    rows, columns = (
        slice(max(0, part.start - MARGIN), part.stop + MARGIN) for part in suspect.crop
    )
    inside = np.zeros(sample.labels.shape, bool)
    inside[suspect.crop] = suspect.mask
    image, given, region = (part[rows, columns] for part in (sample.image, sample.labels, inside))
    photo = image.copy()
    photo[_outline(region)] = OUTLINE
    expected = np.where(region, np.uint8(suspect.expected), given)
    colored = [overlay(image, labels, data.palette, 0.6) for labels in (given, expected)]
    gap = np.full((image.shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([photo, gap, colored[0], gap, colored[1]], 1)


def _outline(region: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return the pixels around a region."""
    padded = np.pad(region, 1)
    near = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return np.asarray(near & ~region)


def _rows(suspects: Sequence[Suspect], classes: Sequence[str]) -> Iterator[Row]:
    yield ["rank", "image", "given", "expected", "area", "score", "x", "y", "width", "height"]
    for rank, suspect in enumerate(suspects, 1):
        names = [classes[suspect.given], classes[suspect.expected]]
        yield [rank, suspect.name, *names, suspect.area, number_cell(suspect.score), *suspect.box]


def _labelme(sample: Sample, suspects: Sequence[Suspect], data: Data) -> dict[str, object]:
    return {
        **labelme_header(f"{sample.name}.png", sample.labels.shape),
        "shapes": [shape for suspect in suspects for shape in _shapes(suspect, data.classes)],
        "fullconv": {"name": sample.name, "split": data.split or "all"},
    }


def _shapes(suspect: Suspect, classes: Sequence[str]) -> Iterator[dict[str, object]]:
    labels = np.where(suspect.mask, np.uint8(0), np.uint8(VOID))
    for polygon in polygonize(labels):
        corners = single_ring(polygon) + np.array([suspect.top, suspect.left])
        yield labelme_shape(
            classes[suspect.expected],
            "polygon",
            corners[:, ::-1].tolist(),
            description=f"was: {classes[suspect.given]}",
            flags={"suspect": True},
        )


def _coco_annotation(
    rank: int, image: int, suspect: Suspect, size: tuple[int, ...]
) -> dict[str, object]:
    whole = np.zeros(size, bool)
    whole[suspect.crop] = suspect.mask
    return {
        "id": rank,
        "image_id": image,
        "category_id": suspect.expected,
        "segmentation": {"size": [*size], "counts": encode_run_lengths(whole, by_columns=True)},
        "area": suspect.area,
        "bbox": suspect.box,
        "iscrowd": 1,
        "score": suspect.score,
        "given_category_id": suspect.given,
    }
