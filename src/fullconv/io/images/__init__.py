"""Read and write images and masks; only this package imports Pillow and its (width, height)."""

from fullconv.io.images.arrays import channels_from_array, rgb_from_array
from fullconv.io.images.captions import caption, legend
from fullconv.io.images.decode import (
    FORMATS,
    MAX_PIXELS,
    SUFFIXES,
    Header,
    is_deep_file,
    peek_header,
    read_header,
)
from fullconv.io.images.extra_inputs import (
    ExtraInput,
    channels_of,
    describe_channels,
    input_file,
    parse_inputs,
    resolve_inputs,
    with_inputs,
)
from fullconv.io.images.masks import StoredMask, decode_mask, read_mask, read_stored_mask
from fullconv.io.images.photos import (
    decode_image,
    decoding_bytes,
    read_image,
    read_photo,
    read_thumbnail,
    rgb_from_pil,
    scale_photo,
)
from fullconv.io.images.resampling import ScaledImage
from fullconv.io.images.resizing import fit_size, scale_image, scale_labels
from fullconv.io.images.unsupported import (
    count_unsupported,
    describe_unsupported,
    unsupported_suffix,
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
    "ExtraInput",
    "Header",
    "ScaledImage",
    "StoredMask",
    "caption",
    "channels_from_array",
    "channels_of",
    "count_unsupported",
    "decode_image",
    "decode_mask",
    "decoding_bytes",
    "describe_channels",
    "describe_unsupported",
    "encode_grey",
    "encode_jpeg",
    "encode_labels",
    "encode_png",
    "fit_size",
    "input_file",
    "is_deep_file",
    "legend",
    "parse_inputs",
    "peek_header",
    "read_header",
    "read_image",
    "read_mask",
    "read_photo",
    "read_stored_mask",
    "read_thumbnail",
    "resolve_inputs",
    "rgb_from_array",
    "rgb_from_pil",
    "scale_image",
    "scale_labels",
    "scale_photo",
    "unsupported_suffix",
    "with_inputs",
    "write_image",
    "write_labels",
]
