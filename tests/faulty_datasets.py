"""Small synthetic data sets in five layouts, and faults to seed into them."""

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)
TRAIN, VAL = 14, 6
LAYOUTS = ("folders", "voc", "camvid", "cityscapes", "yolo")
# cityscapesscripts/helpers/labels.py: the labelIds that are trained.
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
NAMES = ("background", "road", "tree", "car")


@dataclass(frozen=True)
class DataSet:
    """The files of a data set in a layout, and the values of its masks."""

    layout: str
    folder: Path
    raws: tuple[int, ...]
    void: int

    def photo(self, split, index):
        stem = stem_of(split, index)
        return {
            "folders": self.folder / "images" / split / f"{stem}.jpg",
            "voc": self.folder / "JPEGImages" / f"{stem}.jpg",
            "camvid": self.folder / split / f"{stem}.png",
            "cityscapes": self.folder / f"leftImg8bit/{split}/ulm/{stem}_leftImg8bit.png",
            "yolo": self.folder / "images" / split / f"{stem}.jpg",
        }[self.layout]

    def mask(self, split, index):
        stem = stem_of(split, index)
        return {
            "folders": self.folder / "masks" / split / f"{stem}.png",
            "voc": self.folder / "SegmentationClass" / f"{stem}.png",
            "camvid": self.folder / f"{split}annot" / f"{stem}.png",
            "cityscapes": self.folder / f"gtFine/{split}/ulm/{stem}_gtFine_labelIds.png",
            "yolo": self.folder / "labels" / split / f"{stem}.txt",
        }[self.layout]

    def every(self):
        return [("train", i) for i in range(TRAIN)] + [("val", i) for i in range(VAL)]

    def masks(self, change, splits=("train", "val")):
        for split, index in self.every():
            if split in splits:
                rewrite(self.mask(split, index), change)

    def without(self, label, splits=("train", "val")):
        self.masks(swapped(self.raws[label], self.raws[label - 1]), splits)


def load(path):
    """Return the raw values of a mask, which is an image or a text file of YOLO."""
    if path.suffix != ".txt":
        return np.array(Image.open(path))
    raw = np.zeros(SIZE, np.uint8)
    for line in path.read_text().splitlines():
        label, *corners = line.split()
        left, top, _, _, right, bottom = (float(number) for number in corners[:6])
        rows = slice(round(top * SIZE[0]), round(bottom * SIZE[0]))
        raw[rows, round(left * SIZE[1]) : round(right * SIZE[1])] = int(label) + 1
    return raw


def store(path, raw):
    if path.suffix != ".txt":
        Image.fromarray(raw).save(path)
        return
    (height, width), lines, top = raw.shape, [], 0
    for row in range(1, height + 1):
        if row < height and (raw[row] == raw[top]).all():
            continue
        edges = [0, *(np.flatnonzero(np.diff(raw[top])) + 1), width]
        for left, right in pairwise(edges):
            if label := raw[top, left]:
                one, other = (f"{x / width:.9f}" for x in (left, right))
                high, low = (f"{y / height:.9f}" for y in (top, row))
                lines.append(f"{label - 1} {one} {high} {other} {high} {other} {low} {one} {low}")
        top = row
    path.write_text("".join(f"{line}\n" for line in lines))


def stem_of(split, index):
    # Digits and umlauts are valid in names.
    return f"fotö_{index + TRAIN * (split == 'val'):03d}"


def draw_photo(seed, size=SIZE):
    noise = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), np.uint8)
    return Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC)


def draw_mask(seed, raws, void, size=SIZE):
    random = np.random.default_rng(1000 + seed)
    blocks = np.concatenate([np.arange(len(raws)), random.integers(0, len(raws), 12)])
    rows = random.permutation(np.resize(blocks, 24)).reshape(4, 6)
    rows = np.array(raws, np.uint8)[rows]
    mask = rows.repeat(size[0] // 4, 0).repeat(-(-size[1] // 6), 1)[:, : size[1]].copy()
    mask[:3] = void
    return mask


def build(layout, folder):
    raws = {"camvid": tuple(range(11)), "cityscapes": LABEL_IDS}.get(layout, (0, 1, 2, 3))
    made = DataSet(
        layout, folder, raws, {"camvid": 11, "cityscapes": 0, "yolo": 0}.get(layout, 255)
    )
    for number, (split, index) in enumerate(made.every()):
        for path in (made.photo(split, index), made.mask(split, index)):
            path.parent.mkdir(parents=True, exist_ok=True)
        draw_photo(number).save(made.photo(split, index))
        store(made.mask(split, index), draw_mask(number, raws, made.void))
        if layout == "voc":  # masks may have a palette
            mask = Image.open(made.mask(split, index))
            mask.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
            mask.save(made.mask(split, index))
    declare(made)
    return made


def declare(made):
    """Write class declarations and split lists, if the layout has them."""
    if made.layout in ("folders", "voc"):
        (made.folder / "classes.txt").write_text("".join(f"{name}\n" for name in NAMES))
    if made.layout == "yolo":
        content = f"train: images/train\nval: images/val\nnames: [{', '.join(NAMES[1:])}]\n"
        (made.folder / "data.yaml").write_text(content)
    for split in ("train", "val") if made.layout in ("voc", "camvid") else ():
        lines = [line_of(made, split, i) for s, i in made.every() if s == split]
        lists = made.folder / "ImageSets" / "Segmentation" if made.layout == "voc" else made.folder
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f"{split}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def line_of(made, split, index):
    if made.layout == "voc":
        return stem_of(split, index)
    photo, mask = made.photo(split, index), made.mask(split, index)
    return f"{photo.relative_to(made.folder)} {mask.relative_to(made.folder)}"


def huge_png():
    """Return the header of a PNG of 20 000 x 20 000 pixels, without pixels."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def only(value):
    return lambda raw: np.full_like(raw, value)


def swapped(old, new):
    return lambda raw: np.where(raw == old, new, raw).astype(np.uint8)


def rewrite(path, change):
    store(path, change(load(path)))


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def link(path, target):
    path.unlink()
    path.symlink_to(target)


def turned(made, orientation=6):
    path = made.photo("train", 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    draw_photo(2).save(path, exif=exif)


def binary(made):
    rewrite(made.mask("train", 2), lambda raw: np.where(raw % 2, 255, 0).astype(np.uint8))


def interpolated(made):
    path = made.mask("train", 2)
    large = Image.fromarray(load(path) * np.uint8(230 // made.raws[-1]))
    large.resize((16, 12)).resize(SIZE[::-1], Image.Resampling.BICUBIC).save(path)


def interpolated_within(made):
    """Interpolate a mask between its own classes: only the edges show it."""
    path = made.mask("train", 2)
    raw = np.zeros(SIZE, np.uint8)
    raw[:, 10:30] = raw[:, 44:58] = 3
    Image.fromarray(raw).resize((128, 96), Image.Resampling.BILINEAR).save(path)
    draw_photo(2, (96, 128)).save(made.photo("train", 2))


def near(made):
    picture = np.array(Image.open(made.photo("train", 3))).astype(np.float64)
    noise = np.random.default_rng(5).normal(0, 25, picture.shape)
    changed = (picture * 0.9 + 8 + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(changed).save(made.photo("val", 1))


def clip(made):
    """Make photos frames 0 to 19 of a panning camera, of which 5 to 10 are val."""
    long = draw_photo(77, (48, 400))
    order = [("train", i) for i in range(5)] + [("val", i) for i in range(6)]
    order += [("train", i) for i in range(5, TRAIN)]
    moves = {}
    for frame, (split, index) in enumerate(order):
        image = long.crop((frame * 3, 0, frame * 3 + 64, 48))
        for path in (made.photo(split, index), made.mask(split, index)):
            moves[path] = path.with_name(
                path.name.replace(stem_of(split, index), f"clip_{frame:03d}")
            )
        image.save(made.photo(split, index))
    for old, new in moves.items():
        old.rename(new)
    for path in made.folder.rglob("*.txt"):
        text = path.read_text(encoding="utf-8")
        for old, new in moves.items():
            text = text.replace(old.stem, new.stem)  # lists
        path.write_text(text, encoding="utf-8")


def rare(made):
    made.without(3)
    for split in ("train", "val"):
        rewrite(made.mask(split, 1), lambda raw: _one_pixel(raw, made.raws[3]))


def _one_pixel(raw, value):
    raw[20, 20] = value
    return raw


def from_one(made):
    made.masks(lambda raw: np.where(raw == made.void, raw, raw + 1).astype(np.uint8))


def colored(made):
    mask = np.array(Image.open(made.mask("train", 2)))
    rng = np.random.default_rng(4).integers(1, 255, (256, 3), np.uint8)
    Image.fromarray(rng[mask]).save(made.mask("train", 2))


def twice(made):
    path = made.photo("train", 2)
    other = path.with_suffix(".png" if path.suffix == ".jpg" else ".jpg")
    draw_photo(400).save(other)


def copied(made):
    made.photo("val", 2).write_bytes(made.photo("train", 2).read_bytes())


def listed_twice(made):
    """Add a photo of train to the list of val."""
    lists = made.folder / "ImageSets" / "Segmentation" if made.layout == "voc" else made.folder
    path = lists / "val.txt"
    path.write_text(path.read_text("utf-8") + line_of(made, "train", 2) + "\n", "utf-8")


def undeclared(made):
    """Use a class that is not declared."""
    if made.layout != "yolo":
        rewrite(made.mask("train", 2), swapped(made.raws[1], 77))
        return
    path = made.mask("train", 2)
    path.write_text("9" + path.read_text()[1:])


# Fault -> (function that seeds it, code of the finding, by layout if it differs).
SEEDS = {
    "mask missing": (
        lambda m: m.mask("train", 2).unlink(),
        {
            "folders": "mask-missing",
            "voc": "list-line",
            "camvid": "list-line",
            "cityscapes": "mask-missing",
        },
    ),
    "photo missing": (
        lambda m: m.photo("train", 2).unlink(),
        {None: "photo-missing", "voc": "list-line", "camvid": "list-line"},
    ),
    "different size": (
        lambda m: Image.fromarray(np.zeros((40, 64), np.uint8)).save(m.mask("train", 2)),
        "size-mismatch",
    ),
    "EXIF rotation": (turned, "exif-rotation"),
    "EXIF half turn": (lambda m: turned(m, 3), "exif-unclear"),
    "RGB mask": (
        colored,
        {None: "rgb-mask", "voc": "value-outside", "camvid": "value-outside"},
    ),
    "RGBA photo": (
        lambda m: draw_photo(2).convert("RGBA").save(m.photo("train", 2), "PNG"),
        "alpha",
    ),
    "RGBA mask": (
        lambda m: Image.open(m.mask("train", 2)).convert("RGBA").save(m.mask("train", 2)),
        "mask-alpha",
    ),
    "JPEG mask": (
        lambda m: Image.open(m.mask("train", 2)).convert("L").save(m.mask("train", 2), "JPEG"),
        "jpeg-mask",
    ),
    "0/255 binary mask": (binary, {None: "binary-mask", "cityscapes": "all-void"}),
    "value too large": (
        undeclared,
        {None: "value-outside", "yolo": "labels-refused"},
    ),
    "ids from 1": (from_one, "ids-from-1"),
    "class never used": (lambda m: m.without(3), "class-unused"),
    "class only in val": (lambda m: m.without(3, ["train"]), "class-only-in-val"),
    "class not in val": (lambda m: m.without(3, ["val"]), "class-missing"),
    "rare class": (rare, "class-rare"),
    "all void": (lambda m: rewrite(m.mask("train", 2), only(m.void)), "all-void"),
    "all background": (
        lambda m: rewrite(m.mask("train", 2), only(m.raws[0])),
        "all-background",
    ),
    "16-bit photo": (
        lambda m: Image.fromarray(np.zeros(SIZE, np.uint16)).save(m.photo("train", 2), "PNG"),
        # Files that are no PNG by their name do not give a value range.
        {None: "16-bit", "camvid": "mixed-depth", "cityscapes": "mixed-depth"},
    ),
    "16-bit mask": (
        lambda m: Image.fromarray(np.array(Image.open(m.mask("train", 2))).astype(np.uint16)).save(
            m.mask("train", 2)
        ),
        "16-bit-mask",
    ),
    "truncated photo": (lambda m: cut(m.photo("train", 2)), "damaged"),
    "truncated mask": (lambda m: cut(m.mask("train", 2)), "damaged"),
    "corrupt photo": (lambda m: m.photo("train", 2).write_bytes(b"no picture" * 9), "damaged"),
    "zero bytes": (lambda m: m.photo("train", 2).write_bytes(b""), "empty-file"),
    "zero-byte mask": (lambda m: m.mask("train", 2).write_bytes(b""), "empty-file"),
    "grey photo": (
        lambda m: draw_photo(2).convert("L").save(m.photo("train", 2)),
        "mixed-channels",
    ),
    "CMYK photo": (
        lambda m: draw_photo(2).convert("CMYK").save(m.photo("train", 2), "JPEG"),
        "mixed-channels",
    ),
    "the same photo in train and val": (copied, "duplicate"),
    "one photo in both lists": (listed_twice, "duplicate"),
    "nearly the same photo in train and val": (near, "near-duplicate"),
    "one stem twice": (twice, "one-stem-twice"),
    "tiny photo": (lambda m: draw_photo(2, (20, 20)).save(m.photo("train", 2)), "tiny"),
    "too many pixels": (lambda m: m.photo("train", 2).write_bytes(huge_png()), "too-large"),
    "broken link": (lambda m: link(m.photo("train", 2), "nowhere.jpg"), "broken-link"),
    "looping link": (
        lambda m: link(m.mask("train", 2), m.mask("train", 2).name),
        "broken-link",
    ),
    "interpolated mask": (interpolated, "interpolated-mask"),
    "neighbouring frames": (clip, "neighbouring-frames"),
}

# Faults that a layout cannot have: labels of YOLO are polygons, and a photo without a text file is
# all background; names and class ids of Cityscapes are fixed.
_PICTURE_FAULTS = {
    *("mask missing", "different size", "EXIF rotation", "RGB mask", "RGBA mask", "JPEG mask"),
    *("0/255 binary mask", "ids from 1", "all void", "16-bit mask", "truncated mask"),
    *("zero-byte mask", "interpolated mask"),
}
_IMPOSSIBLE = {
    "folders": {"one photo in both lists"},
    "yolo": {*_PICTURE_FAULTS, "one photo in both lists"},
    "cityscapes": {"ids from 1", "one photo in both lists"},
}
CASES = [
    (layout, fault)
    for layout in LAYOUTS
    for fault in SEEDS
    if fault not in _IMPOSSIBLE.get(layout, ())
]


def code_of(layout, fault):
    """Return the code of the expected finding."""
    codes = SEEDS[fault][1]
    return codes if isinstance(codes, str) else codes.get(layout, codes.get(None))
