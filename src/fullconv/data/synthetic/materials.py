"""Classes of the synthetic scenes, and the colours of materials."""

from fullconv.io.palettes import Palette

Color = tuple[float, float, float]
"""RGB in [0, 1]."""

CLASSES = ("sky", "building", "road", "tree", "car", "person", "pole")
SKY, BUILDING, ROAD, TREE, CAR, PERSON, POLE = range(7)
# The colours of Cityscapes.
PALETTE: Palette = (
    (70, 130, 180), (70, 70, 70), (128, 64, 128), (107, 142, 35), (0, 0, 142), (220, 20, 60),
    (153, 153, 153),
)  # fmt: skip

# Surface colours in white light.
PAINTS: tuple[Color, ...] = (
    (0.75, 0.12, 0.12), (0.15, 0.28, 0.62), (0.88, 0.88, 0.90), (0.16, 0.16, 0.18),
    (0.55, 0.57, 0.60), (0.90, 0.72, 0.15), (0.20, 0.42, 0.26), (0.42, 0.62, 0.78),
    (0.80, 0.42, 0.16), (0.40, 0.14, 0.26),
)  # fmt: skip
LEAVES: tuple[Color, ...] = (
    (0.20, 0.42, 0.14),
    (0.30, 0.50, 0.16),
    (0.14, 0.34, 0.20),
    (0.42, 0.48, 0.16),
    (0.74, 0.44, 0.12),
)
SKINS: tuple[Color, ...] = (
    (0.92, 0.74, 0.62),
    (0.78, 0.56, 0.42),
    (0.52, 0.34, 0.24),
    (0.36, 0.24, 0.18),
)
METALS: tuple[Color, ...] = (
    (0.25, 0.27, 0.28),
    (0.52, 0.54, 0.55),
    (0.16, 0.26, 0.22),
    (0.40, 0.36, 0.32),
)
BLACK: Color = (0.06, 0.06, 0.07)
WHITE: Color = (0.96, 0.95, 0.86)
GLASS: Color = (0.20, 0.27, 0.33)
BARK: Color = (0.34, 0.25, 0.18)
GLOW: Color = (1.0, 0.86, 0.55)
