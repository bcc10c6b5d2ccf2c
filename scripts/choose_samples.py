"""Write the sample photos that come with fullconv: src/fullconv/data/samples/nuclei.

    python scripts/choose_samples.py NUCLEI

NUCLEI is a folder with images/, masks/ and train.txt, made from stage 1 of the 2018 Data Science
Bowl. Only photos of train.txt are taken, the first of each size in the order of their names, which
are hashes; the size tells the kind of photo. Every third of a kind is for val.
"""

import argparse
import shutil
from pathlib import Path

from PIL import Image

TARGET = Path(__file__).parents[1] / "src" / "fullconv" / "data" / "samples" / "nuclei"
CLASSES = {"background": "#202020", "nucleus": "#f0b020"}
# (width, height) -> photos: fluorescence, stained tissue, and two larger kinds of fluorescence.
# The two single photos of other sizes are left out.
PHOTOS = {(256, 256): 8, (320, 256): 8, (360, 360): 5, (696, 520): 3}


def main() -> None:
    """Choose photos of every kind, and write them with their masks and lists."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    source = parser.parse_args().source
    kinds = sort_by_size(source)
    splits: dict[str, list[str]] = {"train": [], "val": []}
    for folder in ("images", "masks"):
        shutil.rmtree(TARGET / folder, ignore_errors=True)
        (TARGET / folder).mkdir(parents=True)
    for size, wanted in PHOTOS.items():
        for index, name in enumerate(kinds[size][:wanted]):
            splits["val" if index % 3 == 2 else "train"].append(name)
            write_smaller(source / "images" / f"{name}.png", TARGET / "images" / f"{name}.png")
            recolor(source / "masks" / f"{name}.png", TARGET / "masks" / f"{name}.png")
    lines = [f"{label} {name} {color}" for label, (name, color) in enumerate(CLASSES.items())]
    (TARGET / "classes.txt").write_text("\n".join(lines) + "\n")
    for split, names in splits.items():
        (TARGET / f"{split}.txt").write_text("\n".join(sorted(names)) + "\n")


def sort_by_size(source: Path) -> dict[tuple[int, int], list[str]]:
    """Return the names of the photos of train.txt, sorted, by (width, height) of the photo."""
    kinds: dict[tuple[int, int], list[str]] = {}
    for name in sorted((source / "train.txt").read_text().split()):
        with Image.open(source / "images" / f"{name}.png") as photo:
            kinds.setdefault(photo.size, []).append(name)
    return kinds


def write_smaller(source: Path, target: Path) -> None:
    """Write a PNG photo as RGB, without loss."""
    with Image.open(source) as photo:
        photo.convert("RGB").save(target, optimize=True)


def recolor(source: Path, target: Path) -> None:
    """Write an indexed mask with the colours of the classes."""
    with Image.open(source) as mask:
        mask.putpalette(b"".join(bytes.fromhex(color[1:]) for color in CLASSES.values()))
        mask.save(target, optimize=True)


if __name__ == "__main__":
    main()
