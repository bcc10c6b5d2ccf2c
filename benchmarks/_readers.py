"""Independent readers of sample data sets, which share no code with fullconv (see formats.py).

Each yields the labels of every mask of a folder, in any order, since only the pixels of each class
are counted.
"""

import csv
import io
import json
import warnings
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from math import dist
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, ImageDraw
from pycocotools.coco import COCO
from torchvision.datasets import Cityscapes, VOCSegmentation

VOID = 255
Reader = Callable[[Path], Iterator[np.ndarray]]


def pixels(path: Path) -> np.ndarray:
    """Return a mask as Pillow reads it."""
    return np.array(Image.open(path))


def numbers(pattern: str, void: Sequence[int] = (VOID,)) -> Reader:
    """Return a reader of masks that hold class numbers; `void` are the values to ignore."""

    def read(folder: Path) -> Iterator[np.ndarray]:
        for path in sorted(folder.glob(pattern)):
            raw = pixels(path)
            raw = raw[..., 0] if raw.ndim == 3 else raw
            yield np.where(np.isin(raw, void), VOID, raw)

    return read


def colors(pattern: str, table: dict[tuple[int, int, int], int]) -> Reader:
    """Return a reader of masks that show classes as colours."""

    def read(folder: Path) -> Iterator[np.ndarray]:
        for path in sorted(folder.glob(pattern)):
            raw = np.array(Image.open(path).convert("RGB"))
            labels = np.full(raw.shape[:2], -1)
            for color, label in table.items():
                labels[(raw == color).all(2)] = label
            yield labels

    return read


def meta_colors(folder: Path) -> Iterator[np.ndarray]:
    """Read masks with the colours of Datumaro's dataset_meta.json, in the order of the classes."""
    palette = json.loads((folder / "dataset_meta.json").read_text())["segmentation_colors"]
    yield from colors("masks/*.png", {tuple(c): n for n, c in enumerate(palette)})(folder)


def voc(folder: Path) -> Iterator[np.ndarray]:
    """Read VOC with torchvision."""
    for _, mask in VOCSegmentation(str(folder), year="2012", image_set="val"):
        yield np.array(mask)


def cityscapes(folder: Path) -> Iterator[np.ndarray]:
    """Read Cityscapes with torchvision and the label table of Cityscapes' own scripts."""
    rows = csv.DictReader((folder.parent / "cityscapes_table" / "labels.csv").open())
    table = {int(row["id"]): int(row["trainId"]) for row in rows}
    for path in sorted((folder / "leftImg8bit").glob("*")):
        data = Cityscapes(str(folder), split=path.name, mode="fine", target_type="semantic")
        for _, mask in data:
            raw = np.array(mask)
            yield np.vectorize(lambda value: table[value] % 256, otypes=[int])(raw)


def coco(*files: str) -> Reader:
    """Return a reader with pycocotools: large objects first; crowds and boxes are ignored."""

    def read(folder: Path) -> Iterator[np.ndarray]:
        for file in files:
            with redirect_stdout(io.StringIO()):
                api = COCO(str(folder / file))
            names = [api.cats[number]["name"] for number in sorted(api.cats)]
            classes = [name for name in names if name not in ("_background_", "__ignore__")]
            label = {name: number for number, name in enumerate(classes, 1)}
            for image in api.dataset["images"]:
                labels = np.zeros((image["height"], image["width"]), int)
                objects = api.imgToAnns[image["id"]]
                for one in objects:
                    if not one["segmentation"]:  # on which annToMask fails
                        x, y, width, height = map(int, one["bbox"])
                        labels[y : y + height, x : x + width] = VOID
                    elif one["iscrowd"]:
                        labels[api.annToMask(one) > 0] = VOID
                outlined = [one for one in objects if one["segmentation"] and not one["iscrowd"]]
                drawn = [(api.annToMask(one), one) for one in outlined]
                for mask, one in sorted(drawn, key=lambda two: int(two[0].sum()), reverse=True):
                    labels[mask > 0] = label[api.cats[one["category_id"]]["name"]]
                yield labels

    return read


def coco_stuff(folder: Path) -> Iterator[np.ndarray]:
    """Read COCO-Stuff with pycocotools; pixels without an annotation are ignored."""
    for file in sorted((folder / "annotations").glob("stuff_*.json")):
        with redirect_stdout(io.StringIO()):
            api = COCO(str(file))
        for image in api.dataset["images"]:
            labels = np.full((image["height"], image["width"]), VOID)
            for one in api.imgToAnns[image["id"]]:
                labels[api.annToMask(one) > 0] = sorted(api.cats).index(one["category_id"])
            yield labels


def coco_panoptic(folder: Path) -> Iterator[np.ndarray]:
    """Read the segments of val by their ids, R + 256 G + 65536 B; crowds and gaps are ignored."""
    content = json.loads((folder / "annotations" / "panoptic_val.json").read_text())
    numbers = sorted(category["id"] for category in content["categories"])
    for record in content["annotations"]:
        path = folder / "annotations" / "panoptic_val" / record["file_name"]
        red, green, blue = np.array(Image.open(path), int).transpose(2, 0, 1)
        labels = np.full(red.shape, VOID)
        for one in record["segments_info"]:
            if not one["iscrowd"]:
                segment = red + 256 * green + 65536 * blue == one["id"]
                labels[segment] = numbers.index(one["category_id"])
        yield labels


def labelme_shapes(folder: Path) -> Iterator[np.ndarray]:
    """Draw each shape with Pillow, with LabelMe's line width and point radius."""
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        names = sorted({shape["label"] for shape in content["shapes"]})
        picture = Image.new("L", (content["imageWidth"], content["imageHeight"]))
        for shape in content["shapes"]:
            draw_shape(picture, shape, names.index(shape["label"]) + 1)
        yield np.array(picture)


def draw_shape(picture: Image.Image, shape: dict, label: int) -> None:
    """Draw one shape of LabelMe."""
    draw, points = ImageDraw.Draw(picture), [tuple(point) for point in shape["points"]]
    (x, y), kind = points[0], shape["shape_type"]
    radius = dist(*points) if kind == "circle" else 5
    if kind in ("circle", "point"):
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=label, outline=label)
    elif kind == "rectangle":
        draw.rectangle(points, fill=label, outline=label)
    elif kind in ("line", "linestrip"):
        draw.line(points, fill=label, width=10)
    elif kind == "mask":
        mask = np.array(Image.open(io.BytesIO(b64decode(shape["mask"])))) > 0
        picture.paste(label, (round(x), round(y)), Image.fromarray(mask))
    else:
        draw.polygon(points, fill=label, outline=label)


def labelme(folder: Path) -> Iterator[np.ndarray]:
    """Read the masks that LabelMe itself exported for the same photos."""
    for path in sorted((folder.parent / "voc_labelme_export" / "SegmentationClass").glob("*.png")):
        yield pixels(path)


def yolo(folder: Path) -> Iterator[np.ndarray]:
    """Fill the polygons with Pillow, in file order; class 0 of the file is label 1."""
    for path in sorted(folder.glob("labels/*/*.txt")):
        photo = next((folder / "images" / path.parent.name).glob(f"{path.stem}.*"))
        picture = Image.new("L", Image.open(photo).size)
        for line in path.read_text().splitlines():
            label, *values = line.split()
            points = np.array(values, float).reshape(-1, 2) * picture.size
            ImageDraw.Draw(picture).polygon([tuple(p) for p in points], fill=int(label) + 1)
        yield np.array(picture)


# Colours in class order, from DeepGlobe's page on its land cover classes and ISPRS's on Potsdam.
DEEPGLOBE = dict(
    zip(
        [
            (0, 255, 255),
            (255, 255, 0),
            (255, 0, 255),
            (0, 255, 0),
            (0, 0, 255),
            (255, 255, 255),
            (0, 0, 0),
        ],
        range(7),
        strict=True,
    )
)
POTSDAM = dict(
    zip(
        [(255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)],
        range(6),
        strict=True,
    )
)

# The colours of Brostow et al. that occur in the sample, grouped to the usual 11 classes.
CAMVID = {
    (128, 128, 128): 0,  # Sky
    (192, 0, 128): 1,  # Archway, a Building
    (0, 128, 64): 1,  # Bridge, a Building
    (128, 64, 128): 3,  # Road
    (128, 128, 0): 5,  # Tree
    (64, 128, 64): 9,  # Animal, with Pedestrian
    (192, 128, 64): 9,  # Child, with Pedestrian
    (0, 128, 192): 10,  # Bicyclist
}


def geotiff(
    path: Path, bands: Sequence[int], limits: tuple[float, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image as rasterio reads it, (H, W, 3) in [0, 255], and its data mask (H, W)."""
    warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    with rasterio.open(path) as raster:
        values = raster.read(list(bands)).astype(float)
        valid = raster.dataset_mask() > 0
    if limits:
        values = 255 * np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return np.broadcast_to(np.round(values).transpose(1, 2, 0), (*valid.shape, 3)), valid
