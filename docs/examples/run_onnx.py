"""Run a model that `fullconv export` wrote as .onnx, without fullconv and without PyTorch.

    pip install numpy onnxruntime pillow
    python run_onnx.py model.onnx photo.jpg labels.png

All that the answers mean stands in the file: class names, colours, the size that photos are scaled
down to fit. Normalization is inside the network, which takes RGB in [0, 255]. The labels are the
same as those of `fullconv predict`.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


class Runner:
    """One exported model, ready to answer."""

    def __init__(self, path: str, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # 0: as many as there are cores
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(path, options, providers=providers)
        about = self.session.get_modelmeta().custom_metadata_map["fullconv"]
        self.description = json.loads(about)
        self.classes: list[str] = self.description["classes"]
        self.palette: list[tuple[int, int, int]] = self.description["palette"]
        self.size: tuple[int, int] | None = self.description["size"]
        self.least: tuple[int, int] = self.description["least"]

    def score(self, image: np.ndarray) -> np.ndarray:
        """Scores (K, H, W) before softmax of a photo (H, W, 3), RGB of uint8, at its own size."""
        height, width = image.shape[:2]
        working = self.working_size(height, width)
        if working[0] < self.least[0] or working[1] < self.least[1]:
            raise ValueError(f"{height} x {width} pixels; this file takes {self.least} at least")
        if working != (height, width):
            picture = Image.fromarray(image).resize(working[::-1], Image.Resampling.BILINEAR)
            image = np.asarray(picture)
        batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
        score = self.session.run(["score"], {"image": batch})[0][0]
        return enlarge(score, height, width)

    def labels(self, image: np.ndarray) -> np.ndarray:
        """The class (H, W) of every pixel: the one with the largest score, the first of equals."""
        return self.score(image).argmax(0).astype(np.uint8)

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """What the photo is scaled down to, so that it fits into the size of the training."""
        if self.size is None:
            return height, width
        factor = min(1.0, self.size[0] / height, self.size[1] / width)
        return max(1, round(height * factor)), max(1, round(width * factor))


def enlarge(score: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear interpolation to (height, width), as `align_corners=False` has it."""
    for axis, wanted in ((1, height), (2, width)):
        given = score.shape[axis]
        if given == wanted:
            continue
        place = (np.arange(wanted, dtype=np.float32) + 0.5) * np.float32(given / wanted) - 0.5
        place = np.clip(place, 0, given - 1)
        low = place.astype(np.int64)
        high = np.minimum(low + 1, given - 1)
        share = (place - low).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        score = score.take(low, axis) * (1 - share) + score.take(high, axis) * share
    return score


def read_photo(path: str) -> np.ndarray:
    """RGB of uint8 (H, W, 3), turned as the EXIF orientation says."""
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def write_labels(path: str, labels: np.ndarray, palette: list[tuple[int, int, int]]) -> None:
    """An indexed PNG: its values are the classes, shown in their colours."""
    picture = Image.fromarray(labels)
    colours = [value for colour in palette for value in colour]
    picture.putpalette(colours + [0] * (768 - len(colours)))
    picture.save(path)


def main() -> None:
    """Answer one photo, and say how much of it each class covers."""
    model, photo, answer = sys.argv[1:4]
    runner = Runner(model)
    labels = runner.labels(read_photo(photo))
    write_labels(answer, labels, runner.palette)
    for label in np.unique(labels):
        print(f"{runner.classes[label]:20} {(labels == label).mean():.1%}")


if __name__ == "__main__":
    main()
