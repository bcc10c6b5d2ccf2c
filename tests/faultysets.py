"""Small data sets in three layouts, drawn by the test, and the faults that are seeded into them."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)
TRAIN, VAL = 14, 6


@dataclass(frozen=True)
class Set:
    """Where the files of one layout lie, and which values its masks hold."""

    layout: str
    folder: Path
    classes: int
    void: int

    def photo(self, split, index):
        stem = stem_of(split, index)
        return {
            "folders": self.folder / "images" / split / f"{stem}.jpg",
            "voc": self.folder / "JPEGImages" / f"{stem}.jpg",
            "camvid": self.folder / split / f"{stem}.png",
        }[self.layout]

    def mask(self, split, index):
        stem = stem_of(split, index)
        return {
            "folders": self.folder / "masks" / split / f"{stem}.png",
            "voc": self.folder / "SegmentationClass" / f"{stem}.png",
            "camvid": self.folder / f"{split}annot" / f"{stem}.png",
        }[self.layout]

    def every(self):
        return [("train", i) for i in range(TRAIN)] + [("val", i) for i in range(VAL)]

    def masks(self, change, splits=("train", "val")):
        for split, index in self.every():
            if split in splits:
                path = self.mask(split, index)
                Image.fromarray(change(np.array(Image.open(path)))).save(path)


def stem_of(split, index):
    # Numbers, umlauts and spaces (but VOC's and CamVid's lists part words at spaces): no faults.
    return f"fotö_{index + TRAIN * (split == 'val'):03d}"


def draw_photo(seed, size=SIZE):
    noise = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), np.uint8)
    return Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC)


def draw_mask(seed, classes, void, size=SIZE):
    random = np.random.default_rng(1000 + seed)
    blocks = np.concatenate([np.arange(classes), random.integers(0, classes, 12)])
    rows = random.permutation(np.resize(blocks, 24)).reshape(4, 6).astype(np.uint8)
    mask = rows.repeat(size[0] // 4, 0).repeat(-(-size[1] // 6), 1)[:, : size[1]].copy()
    mask[:3] = void
    return mask


def build(layout, folder):
    classes, void = (11, 11) if layout == "camvid" else (4, 255)
    made = Set(layout, folder, classes, void)
    for number, (split, index) in enumerate(made.every()):
        for path in (made.photo(split, index), made.mask(split, index)):
            path.parent.mkdir(parents=True, exist_ok=True)
        draw_photo(number).save(made.photo(split, index))
        mask = Image.fromarray(draw_mask(number, classes, void))
        if layout == "voc":  # palette masks are as good as grey ones
            mask.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
        mask.save(made.mask(split, index))
    if layout != "camvid":
        (folder / "classes.txt").write_text("background\nroad\ntree\ncar\n")
    for split in ("train", "val") if layout != "folders" else ():
        lines = [line_of(made, split, i) for s, i in made.every() if s == split]
        lists = folder / "ImageSets" / "Segmentation" if layout == "voc" else folder
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f"{split}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def line_of(made, split, index):
    if made.layout == "voc":
        return stem_of(split, index)
    photo, mask = made.photo(split, index), made.mask(split, index)
    return f"{photo.relative_to(made.folder)} {mask.relative_to(made.folder)}"


def huge_png():
    """The header of a PNG of 20 000 x 20 000 pixels, and nothing behind it."""

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
    Image.fromarray(change(np.array(Image.open(path)))).save(path)


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def link(path, target):
    path.unlink()
    path.symlink_to(target)


def turned(made):
    path = made.photo("train", 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    draw_photo(2).save(path, exif=exif)


def binary(made):
    rewrite(made.mask("train", 2), lambda raw: np.where(raw % 2, 255, 0).astype(np.uint8))


def interpolated(made):
    path = made.mask("train", 2)
    large = Image.fromarray(np.array(Image.open(path)) * np.uint8(20))
    large.resize((16, 12)).resize(SIZE[::-1], Image.Resampling.BICUBIC).save(path)


def interpolated_within(made):
    """Fringes that are classes all of them: only the edges tell."""
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
    """A window that moves over one long picture: frames 0..19, of which val is 5..10."""
    long = draw_photo(77, (48, 400))
    order = [("train", i) for i in range(5)] + [("val", i) for i in range(6)]
    order += [("train", i) for i in range(5, TRAIN)]
    moves = {}
    for place, (split, index) in enumerate(order):
        window = long.crop((place * 3, 0, place * 3 + 64, 48))
        for path in (made.photo(split, index), made.mask(split, index)):
            moves[path] = path.with_stem(f"clip_{place:03d}")
        window.save(made.photo(split, index))
    for old, new in moves.items():
        old.rename(new)
    for path in made.folder.rglob("*.txt"):
        text = path.read_text(encoding="utf-8")
        for old, new in moves.items():
            text = text.replace(old.stem, new.stem)
        path.write_text(text, encoding="utf-8")


def rare(made):
    made.masks(swapped(3, 2))
    for split in ("train", "val"):
        rewrite(made.mask(split, 1), lambda raw: _one_pixel(raw))


def _one_pixel(raw):
    raw[20, 20] = 3
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


# What is seeded -> (how, the code that must be found; by layout where it differs).
SEEDS = {
    "mask missing": (
        lambda m: m.mask("train", 2).unlink(),
        {"folders": "mask-missing", "voc": "list-line", "camvid": "list-line"},
    ),
    "photo missing": (
        lambda m: m.photo("train", 2).unlink(),
        {"folders": "photo-missing", "voc": "list-line", "camvid": "list-line"},
    ),
    "different size": (
        lambda m: Image.fromarray(np.zeros((40, 64), np.uint8)).save(m.mask("train", 2)),
        "size-mismatch",
    ),
    "EXIF rotation": (turned, "exif-rotation"),
    "RGB mask": (
        colored,
        {"folders": "rgb-mask", "voc": "value-outside", "camvid": "value-outside"},
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
    "0/255 binary mask": (binary, "binary-mask"),
    "value too large": (lambda m: rewrite(m.mask("train", 2), swapped(1, 77)), "value-outside"),
    "ids from 1": (from_one, "ids-from-1"),
    "class never used": (lambda m: m.masks(swapped(3, 2)), "class-unused"),
    "class only in val": (lambda m: m.masks(swapped(3, 2), ["train"]), "class-only-in-val"),
    "class not in val": (lambda m: m.masks(swapped(3, 2), ["val"]), "class-missing"),
    "rare class": (rare, "class-rare"),
    "all void": (lambda m: rewrite(m.mask("train", 2), only(m.void)), "all-void"),
    "all background": (lambda m: rewrite(m.mask("train", 2), only(0)), "all-background"),
    "16-bit photo": (
        lambda m: Image.fromarray(np.zeros(SIZE, np.uint16)).save(m.photo("train", 2), "PNG"),
        "16-bit",
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
