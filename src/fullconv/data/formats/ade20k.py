"""ADE20K (Zhou et al., 2017): the scene parsing benchmark's SceneParse150, and the full release.

SceneParse150's masks hold 1 to 150, and 0 for everything else. So labels are one less, and 0 is
void.
"""

from functools import partial
from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.pairing import unique
from fullconv.data.discovery.stems import IMAGES, files_by_stem, unknown_layout
from fullconv.data.formats import Format, formats
from fullconv.data.formats._ade20k_full import ObjectTable, full_pairs, full_root, labels_of
from fullconv.data.labels.classes import declared_classes
from fullconv.data.labels.masks import MaskTable, read_pair, read_raw
from fullconv.data.labels.tables import LabelTable
from fullconv.data.sample import Pair
from fullconv.io.palettes import VOID, Palette
from fullconv.io.visible import visible

_FOLDERS = {"train": "training", "val": "validation"}
_LISTS = ("objectInfo150.txt", "sceneCategories.txt")


def scan(source: str) -> Inventory:
    """List SceneParse150 (ADEChallengeData2016), or the full release (ADE20K_2021_17_01).

    The classes of the full release are those that classes.txt in its folder names, or else the
    benchmark's 150, each by the first of an object's synonyms; every other object is void. Its
    labels differ from SceneParse150's, which merged some objects.

    Raises:
        DataError: the folder does not have this layout.
    """
    folder = Path(source)
    if root := full_root(folder):
        return _scan_full(folder, root)
    inventory = Inventory(folder, "ade20k", lambda masks, read: (CLASSES, PALETTE, _table()))
    inventory.declared = len(CLASSES)
    root = _root(folder)
    for split, part in _FOLDERS.items():
        images = files_by_stem(inventory, root / "images" / part, IMAGES)
        masks = files_by_stem(inventory, root / "annotations" / part, (".png",))
        both = sorted(images.keys() & masks.keys())
        inventory.splits[split] = [Pair(stem, images[stem], masks[stem]) for stem in both]
        lonely = [images[stem] for stem in sorted(images.keys() - masks.keys())]
        inventory.unmatched(lonely, split, root / "annotations" / part)
        lonely = [masks[stem] for stem in sorted(masks.keys() - images.keys())]
        inventory.orphans(lonely, split, root / "images" / part, fatal=False)
    return inventory


def _scan_full(folder: Path, root: Path) -> Inventory:
    own = declared_classes(folder)
    classes, palette = (own.classes, own.palette) if own else (CLASSES, PALETTE)
    inventory = Inventory(folder, "ade20k", lambda masks, read: (classes, palette, None))
    inventory.declared = len(classes)
    inventory.suffixes = (".jpg",)  # the masks of objects and parts are beside the photos
    inventory.read = partial(read_pair, table=ObjectTable(labels_of(classes)), raw=read_raw)
    for split, part in _FOLDERS.items():
        pairs, errors = full_pairs(root, part)
        inventory.splits[split], duplicates = unique(pairs)
        inventory.same_stems(duplicates, split)
        inventory.bad_entries(errors, split)
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether it is ADEChallengeData2016, by its lists or photos, or the full release."""
    photos = folder / "images" / "validation"
    known = any((folder / name).is_file() for name in _LISTS)
    challenge = photos.is_dir() and (known or any(visible(photos, "ADE_val_*.jpg")))
    return challenge or full_root(folder) is not None


def _table() -> MaskTable:
    void = dict.fromkeys((0, VOID), VOID)
    mapping = void | {label + 1: label for label in range(len(CLASSES))}
    remedy = "SceneParse150 holds 0 to 150; open masks of another numbering as folders:PATH"
    return MaskTable(LabelTable(CLASSES, mapping, remedy))


def _root(folder: Path) -> Path:
    for place in (folder, folder / "ADEChallengeData2016"):
        if (place / "annotations" / "validation").is_dir():
            return place
    expected = (
        "images/training, images/validation and the same in annotations/, or the full release "
        "with images/ADE/training"
    )
    raise unknown_layout(folder, "ade20k", expected)


formats.register("ade20k")(
    Format(
        summary="ADEChallengeData2016 with images/ and annotations/, or ADE20K_2021_17_01",
        scan=scan,
        recognises=recognises,
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
