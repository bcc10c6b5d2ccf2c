"""What the formats read of real and published sample data sets, and whether others read the same.

Run: python benchmarks/formats.py FOLDER, where FOLDER holds one sample a sub-folder (labelme_json,
voc_fcn_demo, ...; what each is from stands in the table). Every pixel of every class is counted
twice: by fullconv, and by a reader that shares no code with it: torchvision, pycocotools, or Pillow
and numpy with the sample's own table of values. The verdict says in how many pixels the two counts
differ. Shapes have no agreed edge: LabelMe's own masks of the same photos are the measure there,
and the verdict is the share of pixels that differ.
"""

import csv
import io
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from pycocotools.coco import COCO
from torchvision.datasets import Cityscapes, VOCSegmentation

from fullconv.errors import FullconvError
from fullconv.formats import found_format, open_data

VOID = 255
Counts = Counter[int]
Reader = Callable[[Path], Iterator[np.ndarray]]


def pixels(path: Path) -> np.ndarray:
    """A mask as Pillow gives it."""
    return np.array(Image.open(path))


def numbers(pattern: str, void: Sequence[int] = (VOID,)) -> Reader:
    """Masks that hold class numbers."""

    def read(folder: Path) -> Iterator[np.ndarray]:
        for path in sorted(folder.glob(pattern)):
            raw = pixels(path)
            raw = raw[..., 0] if raw.ndim == 3 else raw
            yield np.where(np.isin(raw, void), VOID, raw)

    return read


def colors(pattern: str, table: dict[tuple[int, int, int], int]) -> Reader:
    """Masks that show classes as colours."""

    def read(folder: Path) -> Iterator[np.ndarray]:
        for path in sorted(folder.glob(pattern)):
            raw = np.array(Image.open(path).convert("RGB"))
            labels = np.full(raw.shape[:2], -1)
            for color, label in table.items():
                labels[(raw == color).all(2)] = label
            yield labels

    return read


def meta_colors(folder: Path) -> Iterator[np.ndarray]:
    """Datumaro's dataset_meta.json: the colours in the order of the classes."""
    shown = json.loads((folder / "dataset_meta.json").read_text())["segmentation_colors"]
    yield from colors("masks/*.png", {tuple(c): n for n, c in enumerate(shown)})(folder)


def voc(folder: Path) -> Iterator[np.ndarray]:
    """VOC as torchvision reads it."""
    for _, mask in VOCSegmentation(str(folder), year="2012", image_set="val"):
        yield np.array(mask)


def cityscapes(folder: Path) -> Iterator[np.ndarray]:
    """As torchvision reads it, and the table that comes with Cityscapes' own scripts."""
    rows = csv.DictReader((folder.parent / "cityscapes_table" / "labels.csv").open())
    table = {int(row["id"]): int(row["trainId"]) for row in rows}
    for path in sorted((folder / "leftImg8bit").glob("*")):
        data = Cityscapes(str(folder), split=path.name, mode="fine", target_type="semantic")
        for _, mask in data:
            raw = np.array(mask)
            yield np.vectorize(lambda value: table[value] % 256, otypes=[int])(raw)


def coco(*files: str) -> Reader:
    """Masks of pycocotools, the large painted first; what is a crowd or without outline is void."""

    def read(folder: Path) -> Iterator[np.ndarray]:
        for file in files:
            with redirect_stdout(io.StringIO()):
                api = COCO(str(folder / file))
            names = [api.cats[number]["name"] for number in sorted(api.cats)]
            own = [name for name in names if name not in ("_background_", "__ignore__")]
            label = {name: place + 1 for place, name in enumerate(own)}
            for image in api.dataset["images"]:
                labels = np.zeros((image["height"], image["width"]), int)
                every = api.imgToAnns[image["id"]]
                for one in every:
                    if not one["segmentation"]:  # on which annToMask fails
                        x, y, width, height = map(int, one["bbox"])
                        labels[y : y + height, x : x + width] = VOID
                    elif one["iscrowd"]:
                        labels[api.annToMask(one) > 0] = VOID
                whole = [one for one in every if one["segmentation"] and not one["iscrowd"]]
                drawn = [(api.annToMask(one), one) for one in whole]
                for mask, one in sorted(drawn, key=lambda two: int(two[0].sum()), reverse=True):
                    labels[mask > 0] = label[api.cats[one["category_id"]]["name"]]
                yield labels

    return read


def labelme(folder: Path) -> Iterator[np.ndarray]:
    """What LabelMe itself exported of the same photos."""
    for path in sorted((folder.parent / "voc_labelme_export" / "SegmentationClass").glob("*.png")):
        yield pixels(path)


def yolo(folder: Path) -> Iterator[np.ndarray]:
    """Polygons as Pillow fills them, one over the other; class 0 of the file is label 1."""
    for path in sorted(folder.glob("labels/*/*.txt")):
        photo = next((folder / "images" / path.parent.name).glob(f"{path.stem}.*"))
        picture = Image.new("L", Image.open(photo).size)
        for line in path.read_text().splitlines():
            label, *values = line.split()
            points = np.array(values, float).reshape(-1, 2) * picture.size
            ImageDraw.Draw(picture).polygon([tuple(p) for p in points], fill=int(label) + 1)
        yield np.array(picture)


# In the order of the classes: DeepGlobe's page on its land cover classes, ISPRS's on Potsdam.
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


def with_colors(folder: Path, table: dict[tuple[int, int, int], int]) -> Path:
    """Write classes.txt: these sets publish their colours on a page, not in a file."""
    lines = [f"class{label} #{bytes(color).hex()}\n" for color, label in table.items()]
    (folder / "classes.txt").write_text("".join(lines))
    return folder


def laid_out(samples: Path, place: Path) -> None:
    """The samples that are single files or lack their class list, as the data sets lie on disk."""
    for name in ("deepglobe/training_data", "deepglobe/test_data"):
        shutil.copytree(samples / name, place / name)
        with_colors(place / name, DEEPGLOBE)
    year = place / "voc" / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (year / folder).mkdir(parents=True)
    shutil.copy(samples / "voc_fcn_demo" / "image.jpg", year / "JPEGImages" / "demo.jpg")
    shutil.copy(samples / "voc_fcn_demo" / "label.png", year / "SegmentationClass" / "demo.png")
    (year / "ImageSets" / "Segmentation" / "val.txt").write_text("demo\n")
    tile = samples / "potsdam_torchgeo"
    for folder, file in (("images", "4_Ortho_RGBIR/*.tif"), ("masks", "*_label.tif")):
        (place / "potsdam" / folder).mkdir(parents=True)
        shutil.copy(next(tile.glob(file)), place / "potsdam" / folder / "tile.tif")
    with_colors(place / "potsdam", POTSDAM)


def rows(samples: Path, place: Path) -> Iterator[tuple[str, str, Path, str, Reader, bool]]:
    """Sample, source, folder, who else reads it, how, and whether edges may differ."""

    def plain(name: str, other: str, read: Reader, edges: bool = False, option: str = ""):
        return name, f"{samples / name}{option}", samples / name, other, read, edges

    def made(name: str, folder: str, prefix: str, other: str, read: Reader, option: str = ""):
        return name, f"{prefix}{place / folder}{option}", place / folder, other, read, False

    numpy = "Pillow + numpy"
    yield plain("voc_labelme_export", numpy, numbers("SegmentationClass/*.png"))
    yield made("voc_fcn_demo", "voc", "voc:", "torchvision", voc)
    yield plain("common_semantic/dataset", numpy, meta_colors)
    yield plain("common_semantic/non_standard_dataset", numpy, meta_colors)
    yield plain("kaggle_image_mask/image_mask", numpy, numbers("masks/*.png"))
    yield plain("kaggle_image_mask/image_mask_with_labelmap", numpy, numbers("masks/*.png"))
    yield plain("pseudo_dataset_mmseg", numpy, numbers("gts/*.png"))
    for part in ("training_data", "test_data"):
        name = f"deepglobe/{part}"
        yield made(name, name, "", numpy, colors("masks/*.png", DEEPGLOBE))
    yield plain("cityscapes_mmseg", "torchvision", cityscapes)
    instances = coco("annotations/instances_train.json", "annotations/instances_val.json")
    yield plain("coco_synthetic/coco_instances", "pycocotools", instances)
    yield plain("coco_instances_labelme", "pycocotools", coco("annotations.json"), True)
    yield plain("labelme_json", "LabelMe's own masks", labelme, True)
    yield plain("yolo_seg_derived", "Pillow's polygons", yolo, True)
    tif = colors("masks/*.tif", POTSDAM)
    yield made("potsdam_torchgeo", "potsdam", "rasters:", numpy, tif, "?bands=1,2,3")
    for name in ("camvid_datumaro", "labelme_json_shapes", "coco_synthetic/coco_stuff"):
        yield plain(name, "", lambda folder: iter(()))
    yield plain("coco_synthetic/coco_panoptic", "", lambda folder: iter(()))


def counted(masks: Iterator[np.ndarray]) -> Counts:
    """Pixels of each label."""
    total: Counts = Counter()
    for mask in masks:
        total.update(dict(zip(*np.unique(mask, return_counts=True), strict=True)))
    return Counter({int(label): int(number) for label, number in total.items()})


def verdict(ours: Counts, theirs: Counts, other: str, edges: bool) -> str:
    """What the two counts say."""
    if not other:
        return "read; no other reader here"
    differ = sum(abs(ours[label] - theirs[label]) for label in ours | theirs) // 2
    if not differ:
        return f"equal in every class to {other}"
    if edges and differ < 0.02 * ours.total():
        return f"{100 * differ / ours.total():.2f} % of pixels counted otherwise by {other} (edges)"
    return f"DIFFERS from {other} in {differ} of {ours.total()} pixels"


def main(samples: Path) -> int:
    """Print the table; gives the number of samples that are read differently."""
    wrong = 0
    print("| sample | format | images | classes | pixels | verdict |\n|---|---|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as place:
        laid_out(samples, Path(place))
        for name, source, folder, other, read, edges in rows(samples, Path(place)):
            try:
                data = open_data(source)
                ours = counted(sample.labels for sample in data)
            except FullconvError as error:
                print(f"| {name} | - | - | - | - | refused: {str(error).replace(source, name)} |")
                continue
            said = verdict(ours, counted(read(folder)), other, edges)
            wrong += said.startswith("DIFFERS")
            kind = found_format(source)[0]
            sizes = f"{len(data)} | {len(data.classes)} | {ours.total():,}"
            print(f"| {name} | {kind} | {sizes} | {said} |")
    return wrong


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])) > 0)
