"""The scales of test-time augmentation."""

from collections.abc import Sequence

from fullconv.errors import ConfigError

SCALES = (1.0, 1.5)
"""Default scales. With flips, they cost 6.5 times a plain prediction.

On CamVid's val split they gain 2.3 points of mean IoU; 0.75, 1 and 1.25 gain 1.2 at the same cost.
"""


def check_scales(scales: Sequence[float]) -> None:
    """Validate TTA scales.

    Raises:
        ConfigError: there is no scale, one outside [0.1, 10], or a duplicate.
    """
    if not scales or len(set(scales)) < len(scales) or not all(0.1 <= s <= 10 for s in scales):
        shown = ", ".join(f"{scale:g}" for scale in scales) or "none"
        raise ConfigError(f"scales {shown}: expected one or more distinct numbers from 0.1 to 10")


def tta_protocol(scales: Sequence[float] | None) -> str:
    """Return what TTA adds to an evaluation protocol; "" without TTA."""
    if scales is None:
        return ""
    return f"; averaged over scales {', '.join(f'{scale:g}' for scale in scales)} and flips"
