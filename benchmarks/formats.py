"""Read published sample data sets and compare the labels with those of independent readers.

Run: python benchmarks/formats.py FOLDER, where FOLDER has one sub-folder per sample (labelme_json,
voc_fcn_demo, ...; see `rows`). The pixels of every class are counted twice: by fullconv, and by a
reader that shares no code with it (_readers.py): torchvision, pycocotools, or Pillow and numpy with
the sample's own table of values. The verdict is the number of pixels in which the two counts
differ. How the edges of polygons are rasterized is not standardized: there the reference is
LabelMe's own masks of the same photos, or Pillow's polygons, and the verdict is the share of pixels
that differ.

The GeoTIFFs are single files without masks; the second table opens each as an image, and compares
every pixel and the nodata area with rasterio and numpy.
"""

import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import _readers as readers
import numpy as np
import rasterio
from PIL import Image

from fullconv.data.formats import detect_format, open_data
from fullconv.errors import FullconvError

Counts = Counter[int]


@dataclass(frozen=True)
class Row:
    """One sample in the table.

    Attributes:
        name: name of the sample.
        source: data source for fullconv.
        folder: folder for the independent reader.
        other: name of the independent reader.
        read: the independent reader.
        edges: whether the edges of shapes may differ.
        split: the split to compare; None for all.
    """

    name: str
    source: str
    folder: Path
    other: str
    read: readers.Reader
    edges: bool = False
    split: str | None = None


def with_colors(folder: Path, table: dict[tuple[int, int, int], int]) -> Path:
    """Write classes.txt, since the colours of these sets are published on a web page only."""
    lines = [f"class{label} #{bytes(color).hex()}\n" for color, label in table.items()]
    (folder / "classes.txt").write_text("".join(lines))
    return folder


def complete_samples(samples: Path, target: Path) -> None:
    """Build data sets in `target` from samples that are single files or lack a class list."""
    for name in ("deepglobe/training_data", "deepglobe/test_data"):
        shutil.copytree(samples / name, target / name)
        with_colors(target / name, readers.DEEPGLOBE)
    year = target / "voc" / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (year / folder).mkdir(parents=True)
    shutil.copy(samples / "voc_fcn_demo" / "image.jpg", year / "JPEGImages" / "demo.jpg")
    shutil.copy(samples / "voc_fcn_demo" / "label.png", year / "SegmentationClass" / "demo.png")
    (year / "ImageSets" / "Segmentation" / "val.txt").write_text("demo\n")
    tile = samples / "potsdam_torchgeo"
    for folder, file in (("images", "4_Ortho_RGBIR/*.tif"), ("masks", "*_label.tif")):
        (target / "potsdam" / folder).mkdir(parents=True)
        shutil.copy(next(tile.glob(file)), target / "potsdam" / folder / "tile.tif")
    with_colors(target / "potsdam", readers.POTSDAM)


def rows(samples: Path, target: Path) -> Iterator[Row]:
    """Yield the samples as they are published, and those that were completed."""
    numpy = "Pillow + numpy"

    def plain(name: str, other: str, read: readers.Reader, **more: object) -> Row:
        return Row(name, str(samples / name), samples / name, other, read, **more)

    yield plain("voc_labelme_export", numpy, readers.numbers("SegmentationClass/*.png"))
    yield Row("voc_fcn_demo", f"voc:{target / 'voc'}", target / "voc", "torchvision", readers.voc)
    yield plain("common_semantic/dataset", numpy, readers.meta_colors)
    yield plain("common_semantic/non_standard_dataset", numpy, readers.meta_colors)
    yield plain("kaggle_image_mask/image_mask", numpy, readers.numbers("masks/*.png"))
    yield plain("kaggle_image_mask/image_mask_with_labelmap", numpy, readers.numbers("masks/*.png"))
    yield plain("pseudo_dataset_mmseg", numpy, readers.numbers("gts/*.png"))
    for name in ("deepglobe/training_data", "deepglobe/test_data"):
        read = readers.colors("masks/*.png", readers.DEEPGLOBE)
        yield Row(name, str(target / name), target / name, numpy, read)
    yield plain("camvid_datumaro", numpy, readers.colors("*annot/*.png", readers.CAMVID))
    yield plain("cityscapes_mmseg", "torchvision", readers.cityscapes)
    files = ("annotations/instances_train.json", "annotations/instances_val.json")
    yield plain("coco_synthetic/coco_instances", "pycocotools", readers.coco(*files))
    yield plain("coco_synthetic/coco_stuff", "pycocotools", readers.coco_stuff)
    for split in ("val", "train"):
        read = readers.coco_panoptic
        yield plain("coco_synthetic/coco_panoptic", numpy, read, split=split)
    read = readers.coco("annotations.json")
    yield plain("coco_instances_labelme", "pycocotools", read, edges=True)
    yield plain("labelme_json", "LabelMe's own masks", readers.labelme, edges=True)
    shapes = readers.labelme_shapes
    yield plain("labelme_json_shapes", "Pillow's outlines", shapes, edges=True)
    yield plain("yolo_seg_derived", "Pillow's polygons", readers.yolo, edges=True)
    potsdam, read = target / "potsdam", readers.colors("masks/*.tif", readers.POTSDAM)
    yield Row("potsdam_torchgeo", f"rasters:{potsdam}?bands=1,2,3", potsdam, numpy, read)


# File, options, and their meaning: bands, and the values that become 0 and 255.
GEOTIFFS = (
    ("byte.tif", "", (1,), None),
    ("rotated.tif", "", (1,), None),
    ("world.byte.tif", "", (1,), None),
    ("rgb-byte-tenth.tif", "", (1, 2, 3), None),
    ("389225main_sw_1965_1024.jpg", "", (1, 2, 3), None),
    ("alpha.tif", "", (), None),
    ("alpha.tif", "bands=1,2,3", (1, 2, 3), None),
    ("RGBA.uint16.tif", "bands=3,2,1", (), None),
    ("RGBA.uint16.tif", "bands=3,2,1&range=0,65535", (3, 2, 1), (0, 65535)),
    ("all-nodata.tif", "bands=3,2,1&range=0,3000", (3, 2, 1), (0, 3000)),
    ("float.tif", "range=0,10", (1,), (0, 10)),
    ("float32.tif", "range=0,10", (1,), (0, 10)),
    ("float_nan.tif", "", (), None),
    ("float_nan.tif", "range=0,10", (1,), (0, 10)),
    ("float_raster_with_nodata.tif", "range=0,100", (1,), (0, 100)),
    ("corrupt.tif", "", (), None),
)


def count_labels(masks: Iterator[np.ndarray]) -> Counts:
    """Count the pixels of each label."""
    total: Counts = Counter()
    for mask in masks:
        total.update(dict(zip(*np.unique(mask, return_counts=True), strict=True)))
    return Counter({int(label): int(number) for label, number in total.items()})


def verdict(ours: Counts, theirs: Counts, other: str, edges: bool) -> str:
    """Describe how far the two counts differ."""
    differ = sum(abs(ours[label] - theirs[label]) for label in ours | theirs) // 2
    if not differ:
        return f"equal in every class to {other}"
    if edges and differ < 0.02 * ours.total():
        return f"{100 * differ / ours.total():.2f} % of pixels differ from {other} (edges)"
    return f"DIFFERS from {other} in {differ} of {ours.total()} pixels"


def compare_sample(row: Row) -> str:
    """Return a row of the first table."""
    name = f"{row.name} ({row.split})" if row.split else row.name
    try:
        data = open_data(row.source, row.split)
        ours = count_labels(sample.labels for sample in data)
    except FullconvError as error:
        message = str(error).replace(f"{row.source}/", "")
        return f"| {name} | - | - | - | - | refused: {message} |"
    result = verdict(ours, count_labels(row.read(row.folder)), row.other, row.edges)
    sizes = f"{len(data)} | {len(data.classes)} | {ours.total():,}"
    return f"| {name} | {detect_format(row.source)[0]} | {sizes} | {result} |"


def compare_geotiff(
    path: Path, target: Path, options: str, bands: tuple, limits: tuple | None
) -> str:
    """Return a row of the second table: one GeoTIFF as an image with an empty mask."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as raster:
            kind, size = f"{raster.count} of {raster.dtypes[0]}", raster.shape
    for folder in ("images", "masks"):
        (target / folder).mkdir(parents=True)
    shutil.copy(path, target / "images" / path.name)
    Image.fromarray(np.zeros(size, np.uint8)).save(target / "masks" / f"{path.stem}.png")
    (target / "classes.txt").write_text("0 ground\n1 water\n255 void\n")
    start = f"| {path.name} | {kind} | {options or '-'} | {size[0] * size[1]:,} |"
    try:
        sample = open_data(f"rasters:{target}" + (f"?{options}" if options else ""))[0]
    except FullconvError as error:
        message = str(error).replace(f"{target}/images/", "").replace(str(target), "FOLDER")
        return f"{start} - | refused: {message} |"
    photo, valid = readers.geotiff(path, bands, limits)
    differ = int((np.abs(sample.image - photo).max(2) > 0)[valid].sum())
    differ += int((valid != (sample.labels == 0)).sum())
    result = f"DIFFERS in {differ} pixels" if differ else "equal in every pixel to rasterio"
    return f"{start} {int((~valid).sum()):,} | {result} |"


def main(samples: Path) -> int:
    """Print the tables and return the number of samples that are read differently."""
    wrong = 0
    print("| sample | format | images | classes | pixels | verdict |\n|---|---|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as target:
        complete_samples(samples, Path(target))
        for row in rows(samples, Path(target)):
            line = compare_sample(row)
            wrong += "DIFFERS" in line
            print(line)
        print("\n| GeoTIFF | bands | options | pixels | nodata | verdict |")
        print("|---|---|---|---:|---:|---|")
        for number, (name, *choice) in enumerate(GEOTIFFS):
            folder = samples / "geotiff_rasterio"
            line = compare_geotiff(folder / name, Path(target) / f"geotiff{number}", *choice)
            wrong += "DIFFERS" in line
            print(line)
    return wrong


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])) > 0)
