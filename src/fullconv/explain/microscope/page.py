"""Put the page of the network microscope together, and keep it below its limit."""

from functools import cache

import numpy as np
from jaxtyping import UInt8

from fullconv.errors import ConfigError
from fullconv.explain.microscope.record import Plan, Recording, plans, record
from fullconv.model import Model
from fullconv.pages.html import (
    data_element,
    digest,
    fill,
    own_scope,
    pack,
    policy_element,
    read_asset,
    shared_asset,
    to_json,
    without_imports,
)

LIMIT = 1_500_000  # bytes of a page
SHARED = ("bytes", "language")
MODULES = (
    *("texts", "fractions", "operations", "geometry", "networks", "network", "model", "drawing"),
    *("patch", "chambers/dense", "chambers/bilinear", "chambers/transposed"),
    *("chambers/checkerboard", "chambers/unpooling", "chambers/skips", "chambers/crops"),
    *("chambers/field", "chambers/network", "app"),
)
"""The modules of the page, each after those that it imports."""


def microscope_page(
    model: Model, image: UInt8[np.ndarray, "H W 3"], name: str, limit: int = LIMIT
) -> tuple[str, Plan]:
    """Return the page of a model on a photo, with as much of the network as fits, and the plan.

    Args:
        model: a trained model with layers.
        image: the photo, RGB.
        name: of the model, as the page shows it.
        limit: bytes of the page.

    Raises:
        ConfigError: even the least does not fit.
    """
    page = ""
    for plan in plans(model):
        page = assemble(record(model, image, plan, name))
        if len(page.encode()) <= limit:
            return page, plan
    raise ConfigError(
        f"the page would have {len(page.encode()) / 1e6:.1f} MB with the smallest photo and the "
        f"fewest layers; expected at most {limit / 1e6:.1f} MB: train a network with fewer classes "
        "or a coarser stride, such as fcn8s"
    )


def assemble(recording: Recording) -> str:
    """Return the page of a recording: one file that makes no request."""
    script, style = page_script(), shared_asset("base.css") + read_asset(__package__, "page.css")
    directives = (
        f"connect-src 'none'; script-src {digest(script)}; style-src {digest(style)}; img-src data:"
    )
    elements = [
        data_element("settings", to_json(recording.settings)),
        data_element("arrays", pack(recording.arrays)),
    ]
    parts = [
        ("policy", policy_element(directives)),
        ("title", "Network microscope · fullconv"),
        ("style", style),
        ("parts", "\n".join(elements)),
        ("script", script),
    ]
    return fill(read_asset(__package__, "page.html"), parts)


@cache
def page_script() -> str:
    """Return the code of the page as one script, whose functions stay as they are written."""
    shared = [shared_asset(f"{name}.js") for name in SHARED]
    own = [read_asset(__package__, f"{name}.js") for name in MODULES]
    return own_scope("\n".join(map(without_imports, [*shared, *own])))
