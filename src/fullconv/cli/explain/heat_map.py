"""fullconv explain heat-map: draw the class heat map of an image classifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import MAX_CLASSES, Json
from fullconv.io.commands import pasted

if TYPE_CHECKING:
    from torch import nn


STRIDE = 32
EXPLAIN = ("fullconv", "explain")

Classifier = Annotated[
    str,
    typer.Argument(
        metavar="CLASSIFIER", help="Name of a classifier of fullconv, torchvision or timm."
    ),
]
Photo = Annotated[
    Path,
    typer.Argument(metavar="PHOTO", help="A photo, larger than the classifier's input size."),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Weights of the classifier: a file, or 'imagenet' to download them.",
        show_default="random",
    ),
]
Show = Annotated[
    int | None,
    typer.Option(
        "--class", metavar="NUMBER", help="Class to show.", show_default="the predicted one"
    ),
]
Enlarge = Annotated[
    float, typer.Option(metavar="FACTOR", help="Upscale the photo, for a finer grid.")
]


def command(
    classifier: Classifier,
    photo: Photo,
    weights: Weights = None,
    classes: Annotated[
        int, typer.Option(metavar="K", min=1, max=MAX_CLASSES, help="Number of classes.")
    ] = 1000,
    show: Show = None,
    enlarge: Enlarge = 2.0,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The picture to write.")
    ] = Path("heat.png"),
    json: Json = None,
) -> None:
    """Draw the class heat map of an image classifier.

    Converts the classifier to a fully convolutional network and shows its score of one class at
    every position of the photo.
    """
    import numpy as np
    import torch

    from fullconv.errors import ConfigError
    from fullconv.explain.class_heatmap import heat_picture
    from fullconv.io.images import read_image, scale_image, write_image
    from fullconv.networks.dense.convolutionalize import convolutionalize

    if not 0.1 <= enlarge <= 16:
        raise ConfigError(f"--enlarge {enlarge:g}: expected a factor from 0.1 to 16")
    image = read_image(photo)
    network = _create(classifier, classes, photo)
    normalize = _load_weights(network, classifier, weights)
    dense = convolutionalize(network)
    own_size = dense.size
    height, width = (_round_side(side * enlarge, own_size) for side in image.shape[:2])
    large = scale_image(image, (height, width))

    def compute_score(pixels: np.ndarray) -> torch.Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float()
        with torch.inference_mode():
            score: torch.Tensor = dense(normalize(batch))[0]  # (K, rows, columns)
        return score

    centre = scale_image(_crop_centre(image), (own_size, own_size))
    best = compute_score(centre)[:, 0, 0].softmax(0).topk(min(5, classes))
    score = compute_score(large)
    names = _class_names(classes)
    top = [(int(i), names[int(i)], float(p)) for p, i in zip(*best, strict=True)]
    chosen = top[0][0] if show is None else show
    name = names[chosen] if 0 <= chosen < classes else ""
    title = f"{classifier}: probability of {name}"
    write_image(out, heat_picture(score, chosen, large, dense.field, title))
    if str(json) != "-":
        say(f"classification of the centre crop at {own_size} x {own_size}:")
        for number, name, share in top:
            say(f"  {number:4d}  {name:30s}  {100 * share:5.1f} %")
        for caveat in dense.caveats:
            say(f"note {caveat}")
        grid = f"{score.shape[1]} x {score.shape[2]}"
        say(f"class {chosen} ({names[chosen]}) at {grid} positions of {height} x {width}  {out}")
    write_json(json, {"top": top, "shown": chosen, "grid": list(score.shape[1:])})


def _create(classifier: str, classes: int, photo: Path) -> "nn.Module":
    """Create the classifier; a segmentation model in its place is refused with its own commands."""
    from fullconv.errors import ConfigError, UnknownNameError
    from fullconv.inference.shelf import is_shelved
    from fullconv.networks.backbones import create_classifier

    try:
        return create_classifier(classifier, classes).eval()
    except UnknownNameError as error:
        if not Path(classifier).exists() and not is_shelved(classifier):
            raise
        raise ConfigError(
            f"{classifier} is not an image classifier, whose heat maps this command draws; for a "
            f"model of fullconv: {pasted(*EXPLAIN, classifier, photo, '--page', 'page.html')}, or "
            f"{pasted(*EXPLAIN, 'skips', classifier, photo)}"
        ) from error


def _round_side(side: float, own_size: int) -> int:
    """Return the nearest side that differs from the classifier's input size by whole strides."""
    return max(own_size, own_size + STRIDE * round((side - own_size) / STRIDE))


def _crop_centre(image: Any) -> Any:
    """Crop the centre square: 224/256 of the shorter side, as in ImageNet's protocol."""
    side = max(1, round(min(image.shape[:2]) * 224 / 256))
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def _load_weights(network: "nn.Module", name: str, weights: str | None) -> Any:
    """Load the weights and return the normalization that belongs to them."""
    from fullconv.networks.fcn import IMAGENET_MEAN, IMAGENET_STD
    from fullconv.networks.layers import Normalize
    from fullconv.weights.imagenet import IMAGENET, imagenet_weights
    from fullconv.weights.load import copy_weights
    from fullconv.weights.sources import read_weights

    if weights is None:
        say("note without --weights the classifier is random")
        return Normalize(IMAGENET_MEAN, IMAGENET_STD)
    if weights == IMAGENET:
        source, path = imagenet_weights(name)
    else:
        source, path = read_weights(Path(weights)), Path(weights)
    copy_weights(network, source, path, strict=True)
    mean, std = source.mean or IMAGENET_MEAN, source.std or IMAGENET_STD
    return Normalize(mean, std, source.order or "rgb")


def _class_names(classes: int) -> list[str]:
    """Return ImageNet's class names for 1,000 classes, numbers otherwise."""
    if classes != 1000:
        return [f"class {number}" for number in range(classes)]
    from torchvision.models import ResNet18_Weights

    return list(ResNet18_Weights.DEFAULT.meta["categories"])
