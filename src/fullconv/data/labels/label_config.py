"""Label Studio's labeling configuration: XML with the tags of a project, and their labels."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from fullconv.errors import DataError
from fullconv.io.palettes import Color, Palette
from fullconv.io.text import has_document_type, parse_xml
from fullconv.units import format_bytes

MAX_CONFIG_BYTES = 64 * 2**10
BRUSH, POLYGON = "BrushLabels", "PolygonLabels"
REGION_TAGS = (BRUSH, POLYGON, "RectangleLabels", "EllipseLabels", "Labels", "BitmaskLabels")
"""The tags whose labels are classes of regions."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class RegionTag:
    """A tag that annotators label regions with.

    Attributes:
        kind: "BrushLabels", "PolygonLabels", ...
        name: which results call `from_name`.
        to_name: the name of the image's tag.
        labels: the classes.
        colors: of the classes; None for those without one.
    """

    kind: str
    name: str
    to_name: str
    labels: tuple[str, ...]
    colors: tuple[Color | None, ...]


@dataclass(frozen=True)
class LabelConfig:
    """What a project's configuration says of its images and regions.

    Attributes:
        tags: of regions, in their order.
        images: name of an image's tag -> key of its URL in a task's data.
    """

    tags: tuple[RegionTag, ...]
    images: dict[str, str]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of all tags, each once."""
        return tuple(dict.fromkeys(name for tag in self.tags for name in tag.labels))

    @property
    def palette(self) -> Palette | None:
        """The colours of `labels`; None if one has none, or two have the same."""
        known: dict[str, Color | None] = {}
        for tag in self.tags:
            for name, color in zip(tag.labels, tag.colors, strict=True):
                known[name] = known.get(name) or color
        colors = [color for color in known.values() if color]
        unique = len(colors) == len(known) and len({*colors}) == len(colors)
        return tuple(colors) if unique else None


def parse_label_config(text: str, where: object) -> LabelConfig:
    """Parse a labeling configuration.

    Raises:
        DataError: it is too long, broken, or defines a document type or entities.
    """
    expected = "the labeling configuration of a Label Studio project"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_CONFIG_BYTES:
        most = format_bytes(MAX_CONFIG_BYTES)
        raise DataError(f"XML of more than {most}", expected=expected, where=where)
    if has_document_type(text):
        raise DataError(
            "XML that defines a document type or entities", expected=expected, where=where
        )
    try:
        root = parse_xml(text)
    except ValueError as error:
        raise DataError(f"broken XML ({error})", expected=expected, where=where) from error
    tags = [_region_tag(element) for element in root.iter() if element.tag in REGION_TAGS]
    images = {
        element.get("name", ""): element.get("value", "").removeprefix("$")
        for element in root.iter("Image")
    }
    return LabelConfig(tuple(tags), images)


def format_label_config(classes: Sequence[str], palette: Palette) -> bytes:
    """Return the configuration of a project whose annotators paint these classes."""
    view = Element("View")
    SubElement(view, "Image", name="image", value="$image", zoom="true")
    labels = SubElement(view, BRUSH, name="label", toName="image")
    for name, color in zip(classes, palette, strict=True):
        SubElement(labels, "Label", value=name, background="#{:02x}{:02x}{:02x}".format(*color))
    for element in (view, labels):
        element.text = "\n"
        for child in element:
            child.tail = "\n"
    text: str = tostring(view, encoding="unicode")
    return f"{text}\n".encode()


def _region_tag(element: Element) -> RegionTag:
    labels = [child for child in element.iter("Label") if child.get("value")]
    return RegionTag(
        element.tag,
        element.get("name", ""),
        element.get("toName", ""),
        tuple(label.get("value", "") for label in labels),
        tuple(_color(label.get("background", "")) for label in labels),
    )


def _color(text: str) -> Color | None:
    if not _HEX.fullmatch(text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue
