"""PASCAL VOC (Everingham et al., 2010), and other data sets that were exported in its layout."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fullconv.data.discovery.inventory import Classes, Inventory, Read
from fullconv.data.discovery.list_files import find_lists
from fullconv.data.discovery.stems import (
    IMAGES,
    add_stems,
    files_by_stem,
    unknown_layout,
)
from fullconv.data.formats import Format, formats
from fullconv.data.labels.classes import (
    ClassList,
    Entry,
    declare,
    declared_classes,
    read_labelmap,
)
from fullconv.data.labels.encoding import resolve
from fullconv.data.labels.masks import MaskTable
from fullconv.data.labels.tables import ColorTable
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, VOID_COLOR, voc_palette
from fullconv.io.visible import visible

CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)

_LISTS = Path("ImageSets", "Segmentation")


def scan(source: str) -> Inventory:
    """List VOC: VOCdevkit, or one of its years.

    Every list in ImageSets/Segmentation is a split; so is a list in the folder itself, such as the
    FCN authors' seg11valid.txt. A mask is taken from SegmentationClass, or, if it is not there,
    from SegmentationClassAug (Hariharan's, without the void borders).

    Raises:
        DataError: the folder does not have this layout.
    """
    folder = year_of(Path(source))

    def classes(masks: Sequence[Path], read: Read) -> Classes:
        found, table = classes_and_table(folder, masks, read)
        return found.classes, found.palette, table

    inventory = Inventory(folder, "voc", classes)
    images = files_by_stem(inventory, folder / "JPEGImages", IMAGES)
    masks = files_by_stem(inventory, folder / "SegmentationClassAug", (".png",))
    masks |= files_by_stem(inventory, folder / "SegmentationClass", (".png", ".jpg", ".jpeg"))
    if (folder / "ImageSets" / "Main").is_dir():  # many photos are of other tasks
        inventory.no_samples = [*images.values()]
    lists = find_lists(folder, (_LISTS.as_posix(), ""), any_name=True)
    add_stems(inventory, images, masks, inventory.read_splits(lists))
    return inventory


def classes_and_table(
    folder: Path, masks: Sequence[Path], read: Read
) -> tuple[ClassList, MaskTable]:
    """Return the classes that a folder declares, else VOC's own, and the table of its masks.

    Raises:
        DataError: the declaration cannot be read, or it is open what 255 means in the masks.
    """
    own = _declared(folder)
    declared = own or declare([Entry(label, name) for label, name in enumerate(CLASSES)], folder)
    found, table = resolve(declared, masks, read)
    colors = {VOID_COLOR: VOID} | dict(
        found.colors or zip(voc_palette(len(found.classes)), range(256), strict=False)
    )
    # VOC's colours are published, but those of other classes are declared or unknown.
    by_palette = table.by_palette or own is None
    return found, replace(table, colors=ColorTable(found.classes, colors), by_palette=by_palette)


def year_of(folder: Path) -> Path:
    """Return the folder with ImageSets: `folder` itself, or the only VOC20xx in it.

    Raises:
        DataError: there is none, or more than one.
    """
    if (folder / _LISTS).is_dir():
        return folder
    years = _years(folder)
    if len(years) > 1:
        names = ", ".join(year.name for year in years)
        raise DataError(
            f"{folder} holds {names}",
            remedy=f"say which: voc:{years[-1]}",
        )
    if not years:
        expected = "ImageSets/Segmentation, JPEGImages and SegmentationClass"
        raise unknown_layout(folder, "voc", expected)
    return years[0]


def recognises(folder: Path) -> bool:
    """Return whether it is VOCdevkit, or has lists for segmentation and masks of classes."""
    complete = [year for year in (folder, *_years(folder)) if _is_year(year)]
    return bool(complete)


def _is_year(folder: Path) -> bool:
    parts = (_LISTS, Path("JPEGImages"), Path("SegmentationClass"))
    return all((folder / part).is_dir() for part in parts)


def _years(folder: Path) -> list[Path]:
    found = [*visible(folder, "VOC20*"), *visible(folder, "VOCdevkit/VOC20*")]
    return sorted(year for year in found if (year / _LISTS).is_dir())


def _declared(folder: Path) -> ClassList | None:
    if (folder / "labelmap.txt").is_file():
        return read_labelmap(folder / "labelmap.txt")
    return declared_classes(folder)


formats.register("voc")(
    Format(
        summary="VOCdevkit/VOC20xx with ImageSets/Segmentation, JPEGImages, SegmentationClass",
        scan=scan,
        recognises=recognises,
    )
)
