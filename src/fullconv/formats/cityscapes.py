"""Cityscapes (Cordts et al., 2016): leftImg8bit/ and gtFine/, 19 classes."""

from pathlib import Path

from fullconv.colors import Color
from fullconv.errors import DataError, NoSplitError
from fullconv.formats import Format, formats
from fullconv.formats._masks import MaskTable, as_data
from fullconv.formats._pairs import Pair
from fullconv.formats._stems import nothing
from fullconv.labels import LabelTable
from fullconv.sample import VOID, Data

# (labelId, name, colour) of the classes that are trained, in the order of their trainIds:
# cityscapesscripts/helpers/labels.py.
TRAINED: tuple[tuple[int, str, Color], ...] = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
CLASSES = tuple(name for _, name, _ in TRAINED)
PALETTE = tuple(color for _, _, color in TRAINED)
LABEL_IDS = range(34)  # and -1, the licence plate, which is 255 in 8 bits

_PHOTO = "_leftImg8bit.png"


def open_cityscapes(source: str, split: str | None) -> Data:
    """Open Cityscapes.

    Masks are *_labelIds.png, of which 19 ids are classes and the rest is void, or, where those are
    not there, *_labelTrainIds.png. The published masks of "test" are dummies: all void.

    Args:
        source: the folder with leftImg8bit/ and gtFine/.
        split: "train", "val", "test": a folder in leftImg8bit; None for all.

    Raises:
        DataError: the layout, a mask or the split is not there.
    """
    folder = Path(source)
    if not recognises(folder):
        raise nothing(folder, "cityscapes", "leftImg8bit/ and gtFine/")
    splits = sorted(path.name for path in (folder / "leftImg8bit").iterdir() if path.is_dir())
    if split is not None and split not in splits:
        raise NoSplitError(folder, split, splits)
    photos = [
        path
        for name in ([split] if split else splits)
        for path in sorted((folder / "leftImg8bit" / name).glob(f"*/*{_PHOTO}"))
    ]
    ids = _masks(folder, photos, "labelIds")
    train_ids = _masks(folder, photos, "labelTrainIds")
    whole = ids if len(ids) >= len(train_ids) else train_ids
    missing = [photo for photo in photos if photo not in whole]
    if missing or not photos:
        raise DataError(
            f"{len(missing)} of {len(photos)} photos in {folder / 'leftImg8bit'} have no mask: "
            f"{', '.join(map(str, missing[:3]))}; expected *_gtFine_labelIds.png in gtFine/"
        )
    pairs = [Pair(photo.name.removesuffix(_PHOTO), photo, whole[photo]) for photo in photos]
    table = _of_ids() if whole is ids else _of_train_ids()
    return as_data(source, split, pairs, CLASSES, PALETTE, MaskTable(table))


def recognises(folder: Path) -> bool:
    """Whether it holds leftImg8bit/ and gtFine/ or gtCoarse/."""
    return (folder / "leftImg8bit").is_dir() and _truth(folder).is_dir()


def _truth(folder: Path) -> Path:
    fine = folder / "gtFine"
    return fine if fine.is_dir() else folder / "gtCoarse"


def _masks(folder: Path, photos: list[Path], kind: str) -> dict[Path, Path]:
    truth = _truth(folder)
    found = {}
    for photo in photos:
        inside = photo.relative_to(folder / "leftImg8bit").parent
        mask = truth / inside / photo.name.replace(_PHOTO, f"_{truth.name}_{kind}.png")
        if mask.is_file():
            found[photo] = mask
    return found


def _of_ids() -> LabelTable:
    void = dict.fromkeys((*LABEL_IDS, VOID), VOID)
    mapping = void | {number: label for label, (number, _, _) in enumerate(TRAINED)}
    return LabelTable(CLASSES, mapping, "expected labelIds, 0 to 33, as they were published")


def _of_train_ids() -> LabelTable:
    mapping = {label: label for label in range(len(CLASSES))} | {VOID: VOID}
    return LabelTable(CLASSES, mapping, "expected trainIds, 0 to 18, and 255")


formats.register("cityscapes")(
    Format(
        summary="leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY",
        open=open_cityscapes,
        recognises=recognises,
    )
)
