"""fullconv explain: what an image classifier sees in a photo, and where."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import Json

if TYPE_CHECKING:
    from torch import nn


OWN = 224  # pixels a side of the images that our classifiers were made for
STRIDE = 32


def command(
    classifier: Annotated[str, typer.Argument(help="Ours, torchvision's or timm's, by name.")],
    photo: Annotated[Path, typer.Argument(help="A photo, larger than the classifier's images.")],
    weights: Annotated[
        str | None, typer.Option(help="Its weights: a file, or 'imagenet' to download them.")
    ] = None,
    classes: Annotated[int, typer.Option(help="How many it tells apart.")] = 1000,
    show: Annotated[
        int | None, typer.Option("--class", help="Class to show, by number; else the first.")
    ] = None,
    enlarge: Annotated[float, typer.Option(help="Enlarge the photo, for a finer grid.")] = 2.0,
    out: Annotated[Path, typer.Option("--out", help="The picture to write.")] = Path("heat.png"),
    json: Json = None,
) -> None:
    """Make a classifier dense and show where in a photo it sees a class: a heat map."""
    import numpy as np
    import torch

    from fullconv.errors import ConfigError
    from fullconv.explain.class_heatmap import heat_map
    from fullconv.io.images import read_image, scale_image, write_image
    from fullconv.networks.backbones import create_classifier
    from fullconv.networks.dense.convolutionalize import convolutionalize

    if not 0.1 <= enlarge <= 16:
        raise ConfigError(f"--enlarge {enlarge:g}: expected a factor from 0.1 to 16")
    image = read_image(photo)
    network = create_classifier(classifier, classes).eval()
    normalize = _weighted(network, classifier, weights)
    dense: Any = convolutionalize(network)
    own = int(getattr(dense, "size", OWN))
    height, width = (_whole(side * enlarge, own) for side in image.shape[:2])
    large = scale_image(image, (height, width))

    def scored(pixels: np.ndarray) -> torch.Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float()
        with torch.inference_mode():
            found: torch.Tensor = dense(normalize(batch))[0]
        return found

    middle = scored(scale_image(_square(image), (own, own)))[:, 0, 0].softmax(0)
    score = scored(large)
    best = middle.topk(min(5, classes))
    names = _names(classes)
    top = [(int(i), names[int(i)], float(p)) for p, i in zip(*best, strict=True)]
    chosen = top[0][0] if show is None else show
    picture = heat_map(score, chosen, large, getattr(dense, "field", None))
    write_image(out, picture)
    if str(json) != "-":
        say(f"the photo's middle at {own} x {own} is, by the classifier itself:")
        for number, name, share in top:
            say(f"  {number:4d}  {name:30s}  {100 * share:5.1f} %")
        for caveat in getattr(dense, "caveats", ()):
            say(f"note {caveat}")
        grid = f"{score.shape[1]} x {score.shape[2]}"
        say(f"class {chosen} ({names[chosen]}) at {grid} places of {height} x {width}  {out}")
    write_json(json, {"top": top, "shown": chosen, "grid": list(score.shape[1:])})


def _whole(side: float, own: int) -> int:
    """The nearest side that differs from the classifier's own by whole strides."""
    return max(own, own + STRIDE * round((side - own) / STRIDE))


def _square(image: Any) -> Any:
    """The middle of a photo: 224 of 256 pixels of its shorter side, as in ImageNet's protocol."""
    side = max(1, round(min(image.shape[:2]) * 224 / 256))
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def _weighted(network: "nn.Module", name: str, weights: str | None) -> Any:
    """Load the weights, and give the normalization that they need."""
    from fullconv.networks.fcn import IMAGENET_MEAN, IMAGENET_STD
    from fullconv.networks.layers import Normalize
    from fullconv.weights.imagenet import IMAGENET, imagenet_weights
    from fullconv.weights.load import load_weights
    from fullconv.weights.sources import read_weights

    if weights is None:
        say("note without --weights the classifier's answers are those of chance")
        return Normalize(IMAGENET_MEAN, IMAGENET_STD)
    path = imagenet_weights(name) if weights == IMAGENET else Path(weights)
    load_weights(network, path, strict=True)
    found = read_weights(path)
    mean, std = found.mean or IMAGENET_MEAN, found.std or IMAGENET_STD
    return Normalize(mean, std, found.order or "rgb")


def _names(classes: int) -> list[str]:
    """ImageNet's names for a thousand classes, numbers for others."""
    if classes != 1000:
        return [f"class {number}" for number in range(classes)]
    from torchvision.models import ResNet18_Weights

    return list(ResNet18_Weights.DEFAULT.meta["categories"])
