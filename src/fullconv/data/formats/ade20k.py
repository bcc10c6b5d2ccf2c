"""ADE20K (Zhou et al., 2017): the scene parsing benchmark's SceneParse150, and the full release.

SceneParse150's masks hold 1 to 150, and 0 for everything else. So labels are one less, and 0 is
void; this is done here, once, and nowhere else.
"""

from functools import partial
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory, opened_inventory
from fullconv.data.discovery.listing import stems
from fullconv.data.discovery.lists import PHOTOS, by_stem, joined, nothing
from fullconv.data.formats import Format, formats
from fullconv.data.formats._ade20k_full import ObjectTable, full_pairs, full_root, labels_of
from fullconv.data.labels.classes import declared_classes
from fullconv.data.labels.masks import MaskTable, as_data
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Data, Pair
from fullconv.errors import NoSplitError
from fullconv.io.palettes import VOID, Palette

_FOLDERS = {"train": "training", "val": "validation"}
_LISTS = ("objectInfo150.txt", "sceneCategories.txt")


def open_ade20k(source: str, split: str | None) -> Data:
    """Open SceneParse150 (ADEChallengeData2016), or the full release (ADE20K_2021_17_01).

    Of the full release the classes are those that classes.txt in its folder names, or else the
    benchmark's 150, each by the first of an object's synonyms; every other object is void. Both
    are not SceneParse150's labels, which joined some objects.

    Args:
        source: the folder with images/.
        split: "train" or "val"; None for both.

    Raises:
        DataError: the layout, a mask or the split is not there.
    """
    folder = Path(source)
    full = full_root(folder)
    root = folder if full else _root(folder)
    if split is not None and split not in _FOLDERS:
        raise NoSplitError(root, split, _FOLDERS)
    chosen = [_FOLDERS[split]] if split else list(_FOLDERS.values())
    if full:
        pairs = [pair for part in chosen for pair in full_pairs(full, part)]
        own = declared_classes(folder)
        classes, palette = (own.classes, own.palette) if own else (CLASSES, PALETTE)
        return as_data(source, split, pairs, classes, palette, ObjectTable(labels_of(classes)))
    pairs = [pair for part in chosen for pair in _pairs(root, part)]
    return as_data(source, split, pairs, CLASSES, PALETTE, _table())


def inventory(source: str) -> Inventory:
    """The files of SceneParse150; of the full release, what `open_ade20k` gives.

    Raises:
        DataError: the layout is not there.
    """
    folder = Path(source)
    if full_root(folder):
        return opened_inventory("ade20k", folder, partial(open_ade20k, source))
    stock = Inventory(folder, "ade20k", lambda masks, read: (CLASSES, PALETTE, _table()))
    stock.declared = len(CLASSES)
    for split, part in _FOLDERS.items():
        photos = stems(stock, _root(folder) / "images" / part, PHOTOS)
        masks = stems(stock, _root(folder) / "annotations" / part, (".png",))
        both = sorted(photos.keys() & masks.keys())
        stock.splits[split] = [Pair(stem, photos[stem], masks[stem]) for stem in both]
        stock.unmatched_images += [photos[stem] for stem in sorted(photos.keys() - masks.keys())]
        stock.unmatched_masks += [masks[stem] for stem in sorted(masks.keys() - photos.keys())]
    return stock


def recognises(folder: Path) -> bool:
    """Whether it is ADEChallengeData2016, by its lists or photos, or the full release."""
    photos = folder / "images" / "validation"
    known = any((folder / name).is_file() for name in _LISTS)
    challenge = photos.is_dir() and (known or any(photos.glob("ADE_val_*.jpg")))
    return challenge or full_root(folder) is not None


def _table() -> MaskTable:
    void = dict.fromkeys((0, VOID), VOID)
    mapping = void | {label + 1: label for label in range(len(CLASSES))}
    remedy = "SceneParse150 holds 0 to 150; open masks of another numbering as folders:PATH"
    return MaskTable(LabelTable(CLASSES, mapping, remedy))


def _pairs(folder: Path, part: str) -> list[Pair]:
    photos = by_stem(folder / "images" / part, PHOTOS)
    masks = by_stem(folder / "annotations" / part, (".png",))
    return joined(photos, photos, masks, folder / "images" / part)


def _root(folder: Path) -> Path:
    for place in (folder, folder / "ADEChallengeData2016"):
        if (place / "annotations" / "validation").is_dir():
            return place
    expected = (
        "images/training, images/validation and the same in annotations/, or the full release "
        "with images/ADE/training"
    )
    raise nothing(folder, "ade20k", expected)


formats.register("ade20k")(
    Format(
        summary="ADEChallengeData2016 with images/ and annotations/, or ADE20K_2021_17_01",
        open=open_ade20k,
        recognises=recognises,
        inventory=inventory,
    )
)

CLASSES = tuple(
    """
wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk,
person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf,
house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub,
railing, cushion, base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper,
fireplace, refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door,
stairway, river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench,
countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel,
bus, towel, light, truck, tower, chandelier, awning, streetlight, booth, television, airplane,
dirt track, apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage,
van, ship, fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel,
basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name,
microwave, pot, animal, bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase,
traffic light, tray, ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower,
radiator, glass, clock, flag
    """.replace("\n", " ")
    .strip()
    .split(", ")
)

_COLORS = bytes.fromhex(
    """
787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07 e005ff ebff07 96053d 787846
08ff33 ff0652 8fff8c ccff04 ff3307 cc4603 0066c8 3de6fa ff0633 0b66ff ff0747 ff09e0 0907e6 dcdcdc
ff095c 7009ff 08ffd6 07ffe0 ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06 ffc207 ff7a08 00ff14
ff0829 ff0599 0633ff eb0cff a09614 00a3ff 8c8c8c fa0a0f 14ff00 1fff00 ff1f00 ffe000 99ff00 0000ff
ff4700 00ebff 00adff 1f00ff 0bc8c8 ff5200 00fff5 003dff 00ff70 00ff85 ff0000 ffa300 ff6600 c2ff00
008fff 33ff00 0052ff 00ff29 00ffad 0a00ff adff00 00ff99 ff5c00 ff00ff ff00f5 ff0066 ffad00 ff0014
ffb8b8 001fff 00ff3d 0047ff ff00cc 00ffc2 00ff52 000aff 0070ff 3300ff 00c2ff 007aff 00ffa3 ff9900
00ff0a ff7000 8fff00 5200ff a3ff00 ffeb00 08b8aa 8500ff 00ff5c b800ff ff001f 00b8ff 00d6ff ff0070
5cff00 00e0ff 70e0ff 46b8a0 a300ff 9900ff 47ff00 ff00a3 ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff
ff007a fff500 0abed4 d6ff00 00ccff 1400ff ffff00 0099ff 0029ff 00ffcc 2900ff 29ff00 ad00ff 00f5ff
4700ff 7a00ff 00ffb8 005cff b8ff00 0085ff ffd600 19c2c2 66ff00 5c00ff
    """
)

PALETTE: Palette = tuple(
    (_COLORS[start], _COLORS[start + 1], _COLORS[start + 2]) for start in range(0, 450, 3)
)
