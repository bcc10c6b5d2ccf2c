"""Pictures in, labels in, pictures out: the only folder that knows PIL and its (width, height)."""

from fullconv.io.images.captions import caption, legend
from fullconv.io.images.decode import FORMATS, MAX_PIXELS, SUFFIXES, Header, read_header
from fullconv.io.images.masks import decode_mask, read_mask
from fullconv.io.images.photos import (
    decode_image,
    fit_size,
    glance,
    read_image,
    rgb_from_pil,
    scale_image,
    scale_labels,
)
from fullconv.io.images.write import (
    encode_grey,
    encode_jpeg,
    encode_labels,
    encode_png,
    write_image,
    write_labels,
)

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "SUFFIXES",
    "Header",
    "caption",
    "decode_image",
    "decode_mask",
    "encode_grey",
    "encode_jpeg",
    "encode_labels",
    "encode_png",
    "fit_size",
    "glance",
    "legend",
    "read_header",
    "read_image",
    "read_mask",
    "rgb_from_pil",
    "scale_image",
    "scale_labels",
    "write_image",
    "write_labels",
]
