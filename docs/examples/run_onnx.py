"""Run a model that `fullconv export` wrote as .onnx, without fullconv and without PyTorch.

    pip install numpy onnxruntime pillow
    python run_onnx.py model.onnx photo.jpg labels.png

The file holds what is needed to interpret its scores: class names, colours, the size that photos
are downscaled to fit, and the factor that they are then scaled by. The network takes RGB in
[0, 255] and normalizes it. The labels are the same as those of `fullconv predict`.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


class Runner:
    """An exported model in an ONNX Runtime session."""

    def __init__(self, path: str, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # 0: one per core
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(path, options, providers=providers)
        text = self.session.get_modelmeta().custom_metadata_map["fullconv"]
        self.description = json.loads(text)
        self.classes: list[str] = self.description["classes"]
        self.palette: list[tuple[int, int, int]] = self.description["palette"]
        self.size: tuple[int, int] | None = self.description["size"]
        self.input_scale: float = self.description.get("input_scale", 1.0)
        self.least: tuple[int, int] = self.description["least"]

    def score(self, image: np.ndarray) -> np.ndarray:
        """Return the scores (K, H, W) before softmax of an RGB image (H, W, 3) of uint8."""
        height, width = image.shape[:2]
        working = self.working_size(height, width)
        if working[0] < self.least[0] or working[1] < self.least[1]:
            raise ValueError(f"{height} x {width} pixels; this file takes at least {self.least}")
        if working != (height, width):
            # The width first: Pillow's own order depends on the sizes.
            picture = Image.fromarray(image).resize((working[1], height), Image.Resampling.BILINEAR)
            image = np.asarray(picture.resize(working[::-1], Image.Resampling.BILINEAR))
        batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
        score = self.session.run(["score"], {"image": batch})[0][0]
        return enlarge(score, height, width)

    def labels(self, image: np.ndarray) -> np.ndarray:
        """Return the class (H, W) of every pixel: the first with the largest score."""
        return self.score(image).argmax(0).astype(np.uint8)

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size that the network gets the image at."""
        fit = min(1.0, self.size[0] / height, self.size[1] / width) if self.size else 1.0
        factor = fit * self.input_scale
        return max(1, round(height * factor)), max(1, round(width * factor))


def enlarge(score: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize scores to (height, width) bilinearly, as with `align_corners=False`."""
    for axis, wanted in ((1, height), (2, width)):
        size = score.shape[axis]
        if size == wanted:
            continue
        position = (np.arange(wanted, dtype=np.float32) + 0.5) * np.float32(size / wanted) - 0.5
        position = np.clip(position, 0, size - 1)
        low = position.astype(np.int64)
        high = np.minimum(low + 1, size - 1)
        share = (position - low).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
        score = score.take(low, axis) * (1 - share) + score.take(high, axis) * share
    return score


def read_photo(path: str) -> np.ndarray:
    """Read a photo as RGB of uint8 (H, W, 3), rotated by its EXIF orientation."""
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def write_labels(path: str, labels: np.ndarray, palette: list[tuple[int, int, int]]) -> None:
    """Write an indexed PNG whose values are the classes, shown in their colours."""
    picture = Image.fromarray(labels)
    colours = [value for colour in palette for value in colour]
    picture.putpalette(colours + [0] * (768 - len(colours)))
    picture.save(path)


def main() -> None:
    """Segment one photo, and print the share of each class."""
    model, photo, output = sys.argv[1:4]
    runner = Runner(model)
    labels = runner.labels(read_photo(photo))
    write_labels(output, labels, runner.palette)
    for label in np.unique(labels):
        print(f"{runner.classes[label]:20} {(labels == label).mean():.1%}")


if __name__ == "__main__":
    main()
