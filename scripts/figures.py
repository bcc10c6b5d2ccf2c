"""Draw the figures of the course with fullconv's own operations, and write its microscope.

    python scripts/figures.py            # write docs/course/figures/*.svg and microscope.html

`figures()` returns every figure; tests/test_course.py compares them with the files. Embedded images
are compared by their sizes only, since a model's scores differ in the last digits between machines.
The microscope has the weights of its network and no results, so it is equal on all machines.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import fullconv as fc
from fullconv.config import new_architecture
from fullconv.data.synthetic import CLASSES, PALETTE, draw
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.upper_bounds import coarsened, upper_bounds
from fullconv.explain.bilinear import bilinear_kernel_matrix, bilinear_table, draw_tables
from fullconv.explain.crops import crop_rulers, draw_rulers
from fullconv.explain.field_picture import compare_fields, draw_fields
from fullconv.explain.matrices import parse_matrix
from fullconv.explain.microscope.page import microscope_page
from fullconv.explain.narrow import narrow_network
from fullconv.explain.skips import draw_contributions, skip_contributions
from fullconv.explain.svg import Drawing
from fullconv.explain.transposed import draw_views, transposed_views
from fullconv.explain.unpooling import draw_unpooling, unpooling_table
from fullconv.io.images import fit_size, scale_image
from fullconv.io.palettes import colorize

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "course" / "figures"
MODEL = ROOT / "models" / "camvid" / "fcn4s-lite2.safetensors"
MICROSCOPE = ROOT / "docs" / "course" / "microscope.html"
SMALL_MODEL = ROOT / "docs" / "course" / "scenes.safetensors"
SMALL_SCENE = (144, 192)  # pixels; as in its training
UNSEEN = 1_000_001  # index of a scene that it was not trained on
STRIDES = (32, 16, 8, 4)
SCENES = 20  # drawn scenes that the upper bounds are measured on
SCENE_SIZE = (240, 320)
SHOWN = 1  # index of the scene in the figures


def figures() -> Iterator[tuple[str, str]]:
    """Yield the name and the content of every figure."""
    notes = parse_matrix("1 2; 3 4", "input")
    tables = [bilinear_table(notes, (4, 4), rule) for rule in (True, False)]
    kernel = parse_matrix("1 2 3; 4 5 6; 7 8 9", "kernel")
    pooled = parse_matrix("1 2 6 3; 3 5 2 1; 1 2 2 1; 7 3 4 8", "input")
    fcn8s = narrow_network(new_architecture("fcn8s-vgg16", 21, padding=100))
    yield "classification.svg", classification()
    yield "dense.svg", dense()
    yield "bilinear.svg", draw_tables(tables, bilinear_kernel_matrix(2), 2)
    yield "transposed.svg", draw_views(transposed_views(notes, kernel, 2))
    yield "unpooling.svg", draw_unpooling(unpooling_table(pooled, 2))
    yield "skips.svg", skips()
    yield "crops.svg", draw_rulers(crop_rulers(fcn8s), "fcn8s-vgg16, padding 100")
    yield "limits.svg", limits()
    yield "fields.svg", draw_fields(compare_fields(fcn8s), None, None)
    yield "vgg.svg", vgg()


def classification() -> str:
    """Draw a scene, the one class of a classifier, and the class of every pixel."""
    sample = draw(0, SHOWN, *SCENE_SIZE)
    picture = Drawing(780, 250, "One class for an image, and one class per pixel")
    for number, title in enumerate(("image", "classification", "segmentation")):
        picture.text(24 + 252 * number, 28, title, 15, style="strong")
    picture.image(24, 40, 228, 171, sample.image)
    picture.box(276, 40, 228, 171, "soft")
    for number, (name, share) in enumerate((("street", 0.9), ("beach", 0.06), ("forest", 0.04))):
        y = 76 + 44 * number
        picture.text(292, y, name, 14)
        picture.box(356, y - 12, 130 * share, 14, "orange", "orange-edge")
    picture.text(292, 202, "for example: one list of probabilities", 12, style="muted")
    picture.image(528, 40, 228, 171, colorize(sample.labels, PALETTE), exact=True)
    for number, name in enumerate(CLASSES):
        x = 24 + 104 * number
        picture.swatch(x, 224, PALETTE[number])
        picture.text(x + 20, 236, name, 13)
    return picture.render()


def dense() -> str:
    """Draw a fully connected layer on one vector, and as a 1 x 1 convolution on a map."""
    weight = torch.tensor([[1.0, 2, 0], [0, 1, 3]])  # (K, C)
    x = torch.tensor([[[1.0, 0, 2], [3, 1, 0]], [[2, 1, 1], [0, 1, 2]], [[0, 3, 1], [1, 0, 2]]])
    y = fc.operations.convolution(x, weight[..., None, None])
    picture = Drawing(780, 330, "The same weights: fully connected, and as a 1 x 1 convolution")
    picture.text(24, 28, "fully connected: one vector of 3 numbers to 2", 15, style="strong")
    vector = [[f"{v:g}"] for v in x[:, 0, 0].tolist()]
    picture.grid(24, 44, [[f"{v:g}" for v in row] for row in weight.tolist()], 34,
                 lambda i, j: "orange")  # fmt: skip
    picture.text(143, 84, "x", 18, "middle")
    picture.grid(160, 44, vector, 34, lambda i, j: "blue")
    picture.text(211, 84, "=", 18, "middle")
    picture.grid(228, 44, [[f"{v:g}"] for v in y[:, 0, 0].tolist()], 34, lambda i, j: "green")
    picture.text(24, 186, "1 x 1 convolution: the same at each of 6 positions", 15, style="strong")
    for channel, plane in enumerate(x.tolist()):
        rows = [[f"{v:g}" for v in row] for row in plane]
        picture.grid(24 + 118 * channel, 216, rows, 34,
                     lambda i, j: "blue" if (i, j) == (0, 0) else "plain")  # fmt: skip
        picture.text(24 + 118 * channel, 208, f"channel {channel}", 12, style="muted")
    picture.arrow(384, 250, 430, 250)
    for channel, plane in enumerate(y.tolist()):
        rows = [[f"{v:g}" for v in row] for row in plane]
        picture.grid(446 + 118 * channel, 216, rows, 34,
                     lambda i, j: "green" if (i, j) == (0, 0) else "plain")  # fmt: skip
        picture.text(446 + 118 * channel, 208, f"score {channel}", 12, style="muted")
    picture.text(24, 310, "height and width stay, the number of channels changes: 3 to 2", 13,
                 style="muted")  # fmt: skip
    return picture.render()


def skips() -> str:
    """Draw what each stride of the bundled model contributes on a drawn scene."""
    model = fc.load(MODEL)
    sample = draw(0, SHOWN, 360, 480)
    image = scale_image(sample.image, fit_size(sample.labels.shape, None, model.input_scale))
    batch = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
    found = skip_contributions(model.network.eval(), batch)
    shown = model.classes.index("Building")
    return draw_contributions(found, image, model.classes, model.palette, shown)


def microscope() -> str:
    """Return the page of the small network on a drawn scene."""
    scene = draw(0, UNSEEN, *SMALL_SCENE).image
    return microscope_page(fc.load(SMALL_MODEL), scene, "scenes")[0]


def bounds() -> dict[int, Confusion]:
    """Measure the upper bounds on IoU by stride, on drawn scenes."""
    masks = (draw(0, index, *SCENE_SIZE).labels for index in range(SCENES))
    return upper_bounds(masks, CLASSES).bounds


def limits() -> str:
    """Draw what a perfect network of each stride could predict, and the bounds on IoU."""
    sample = draw(0, SHOWN, *SCENE_SIZE)
    coarse = coarsened(sample.labels)
    measured = bounds()
    picture = Drawing(1000, 470, "What a perfect network of each stride can reach")
    titles = ("ground truth", *(f"stride {stride}" for stride in STRIDES))
    maps = (sample.labels, *(coarse[stride] for stride in STRIDES))
    for number, (title, labels) in enumerate(zip(titles, maps, strict=True)):
        x = 24 + 194 * number
        picture.text(x, 28, title, 14, style="strong")
        picture.image(x, 40, 180, 135, colorize(labels.astype(np.uint8), PALETTE), exact=True)
    picture.text(24, 212, f"upper bound on the IoU, {SCENES} drawn scenes", 14, style="strong")
    for row, name in enumerate((*CLASSES, "mean")):
        y = 240 + 26 * row
        if name in CLASSES:
            picture.swatch(24, y - 12, PALETTE[row])
        picture.text(46, y, name, 13)
        for number, stride in enumerate(STRIDES, 1):
            total = measured[stride]
            value = float(total.mean_iou if name == "mean" else total.iou[row])
            x = 24 + 194 * number
            picture.box(x, y - 12, 120 * value, 14, "orange" if value < 0.5 else "blue", "none")
            picture.text(x + 128, y, f"{100 * value:.0f} %", 12)
    return picture.render()


def vgg() -> str:
    """Draw the sizes, channels and receptive fields of VGG-16's maps."""
    names = ("image", "pool1", "pool2", "pool3", "pool4", "pool5", "fc6", "fc7")
    network = fc.create_model("fcn32s-vgg16", 21, padding=100, width=1 / 16, hidden=8)
    info = network.feature_info()
    channels = (3, 64, 128, 256, 512, 512, 4096, 4096)
    picture = Drawing(980, 340, "The maps of VGG-16 for an image of 224 x 224")
    picture.text(24, 30, "VGG-16 on 224 x 224 pixels", 15, style="strong")
    x = 24.0
    for name, count in zip(names, channels, strict=True):
        field = info[name].field if name in info else None
        stride = int(field.stride) if field else 1
        size = 224 // stride if not name.startswith("fc") else 1
        side, wide = max(6.0, 0.8 * size), 12 + 9 * np.log2(count)
        tone = "green" if name.startswith("fc") else "blue"
        picture.box(x, 140 - side / 2, wide, side, tone, f"{tone}-edge")
        column = max(wide, 76)
        for line, text in enumerate(
            (
                name,
                f"{count} x {size} x {size}",
                f"stride {stride}",
                f"sees {field.size if field else 1}",
            )
        ):
            picture.text(x, 260 + 20 * line, text, 12, style="strong" if line == 0 else "muted")
        x += column + 26
    return picture.render()


def is_current(old: str, new: str) -> bool:
    """Whether two versions of a figure differ in embedded images and in rounding only."""
    (old_text, old_numbers), (new_text, new_numbers) = map(_parts, (old, new))
    return old_text == new_text and all(
        abs(a - b) <= 1.5 for a, b in zip(old_numbers, new_numbers, strict=True)
    )


def _parts(picture: str) -> tuple[list[str], list[float]]:
    """Split a figure into its text without images, and its numbers."""
    pieces = re.split(r"(\d+(?:\.\d+)?)", re.sub(r"base64,[^\"]*", "base64,", picture))
    return pieces[::2], [float(number) for number in pieces[1::2]]


def main() -> None:
    """Write every figure."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in figures():
        path = FOLDER / name
        path.write_text(content, encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(content) // 1000} kB")
    page = microscope()
    MICROSCOPE.write_text(page, encoding="utf-8")
    print(f"{MICROSCOPE.relative_to(ROOT)}: {len(page.encode()) // 1000} kB")


if __name__ == "__main__":
    main()
