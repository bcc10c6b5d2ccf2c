"""fullconv explain microscope: a page that shows a network's operations on a photo."""

from pathlib import Path
from typing import Annotated

import typer

from fullconv.cli._console import say, say_path, write_json
from fullconv.cli._options import Json
from fullconv.cli.explain._photo import load_network
from fullconv.errors import ConfigError

OPTION = "--page"
"""With this option, `fullconv explain` runs this command without its name."""


def command(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run folder or .safetensors model file.")
    ],
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="The photo to look at.")],
    page: Annotated[
        Path, typer.Option(OPTION, metavar="FILE", help="The page to write: an .html file.")
    ] = Path("microscope.html"),
    json: Json = None,
) -> None:
    """Write a page to play with each operation.

    The page has nine chambers, from the fully connected layer that becomes a convolution to the
    formula of any neuron, with the numbers of this model on this photo. It is one file that works
    offline. `fullconv explain RUN PHOTO --page FILE` is the same command.
    """
    from fullconv.explain.microscope.page import microscope_page
    from fullconv.io.atomic import write_text
    from fullconv.io.images import read_image

    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--page {page}: expected a name that ends in .html")
    model = load_network(run)
    image = read_image(photo)
    text, plan = microscope_page(model, image, Path(run).name.removesuffix(".safetensors"))
    write_text(page, text)
    size = len(text.encode())
    if str(json) != "-":
        if plan.live:
            say(f"the whole network runs in the page, on the photo at {plan.side} pixels at most")
        else:
            say(
                f"the network is too large to run in the page: {plan.layers} convolutions at most "
                f"are kept, {plan.channels} channels of each, the photo at {plan.side} pixels"
            )
        say_path(page, "page     ", f"  {size / 1e6:.2f} MB")
    write_json(json, {"page": str(page), "bytes": size, "live": plan.live, "side": plan.side})
