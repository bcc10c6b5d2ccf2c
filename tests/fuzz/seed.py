"""What the files of seeds share: a seed, and how its photos and masks are drawn."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

TEXT = {".txt", ".csv", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".names"}


@dataclass(frozen=True)
class Seed:
    """An input of one parser.

    Attributes:
        parser: its name in the counts.
        folder: its files; a run gets a copy.
        targets: relative paths of the files to change.
        command: arguments of `fullconv`, or ("predict-api", FILE) for Model.predict.
    """

    parser: str
    folder: Path
    targets: tuple[str, ...]
    command: tuple[str, ...]

    @property
    def name(self):
        return self.folder.name


def store(path, seeds):
    """Write a list of seeds, for the workers."""
    path.write_text(json.dumps([[s.parser, str(s.folder), s.targets, s.command] for s in seeds]))


def restore(path):
    """Read a list of seeds."""
    return [
        Seed(parser, Path(folder), tuple(targets), tuple(command))
        for parser, folder, targets, command in json.loads(path.read_text())
    ]


def place(root, name):
    folder = root / name
    folder.mkdir(parents=True)
    return folder


def photo(seed=0, height=20, width=24):
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)


def mask(seed=0, height=20, width=24, classes=3):
    coarse = np.random.default_rng(seed + 9).integers(0, classes, (height // 4, width // 4))
    return Image.fromarray(np.kron(coarse, np.ones((4, 4), int)).astype(np.uint8))
