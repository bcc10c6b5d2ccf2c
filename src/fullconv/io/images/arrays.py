"""Take arrays as images, by the rules of photos in files."""

import numpy as np
from jaxtyping import UInt8

from fullconv.errors import ImageError
from fullconv.io.value_range import ValueRange, scale_values


def rgb_from_array(
    array: np.ndarray, value_range: ValueRange | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """Return an array as an RGB image, by the same rules as a photo in a file.

    Args:
        array: RGB (H, W, 3), or grey (H, W) or (H, W, 1), of uint8; of other numbers if there is a
            range.
        value_range: the values of other types that become 0 and 255.

    Raises:
        ImageError: any other shape or type, masked values, or floating-point values in [0, 1] for a
            range that is much wider.
    """
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    scaled = value_range is not None and array.dtype.kind in "iuf"
    typed = array.dtype == np.uint8 or scaled
    if not shaped or not typed or not array.size or np.ma.is_masked(array):
        and_more = ""
        if value_range:
            and_more = f", or of other numbers from {value_range[0]:g} to {value_range[1]:g}"
        raise ImageError(
            f"an array of shape {array.shape} and type {array.dtype}{_range(array)}",
            expected="an image (height, width, 3) in RGB or (height, width) in grey, of type uint8"
            + (and_more or " (the model has no value range for other types)"),
            remedy=_array_remedy(array),
        )
    image = np.asarray(array)
    if value_range and image.dtype != np.uint8:
        _refuse_shares(image, value_range)
        image = scale_values(image, value_range)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, 2)
    # PyTorch takes no negative strides, which NumPy calls contiguous where a side is 1 pixel.
    plain = image.flags.c_contiguous and image.flags.writeable and min(image.strides) >= 0
    return image if plain else image.copy()


def channels_from_array(array: np.ndarray, channels: int, what: str) -> UInt8[np.ndarray, "H W C"]:
    """Return an array as an image of more channels than red, green and blue.

    Args:
        array: (H, W, channels) of uint8.
        channels: their number.
        what: they are, for messages.

    Raises:
        ImageError: any other shape or type, or masked values.
    """
    fits = array.ndim == 3 and array.shape[2] == channels and array.dtype == np.uint8
    if not fits or not array.size or np.ma.is_masked(array):
        raise ImageError(
            f"an array of shape {array.shape} and type {array.dtype}{_range(array)}",
            expected=f"{what}: (height, width, {channels}) of type uint8",
        )
    return np.ascontiguousarray(array)


def _range(array: np.ndarray) -> str:
    """Return the range of an array's values as text, with NaN and infinity; "" for uint8."""
    if array.dtype == np.uint8 or array.dtype.kind not in "iuf" or not array.size:
        return ""
    finite = array[np.isfinite(array)]
    if not finite.size:
        return " without a finite value"
    strange = ", some of them not finite" if finite.size < array.size else ""
    return f" with values from {finite.min():g} to {finite.max():g}{strange}"


def _array_remedy(array: np.ndarray) -> str:
    if np.ma.is_masked(array):
        return "fill the masked values"
    if not array.size:
        return ""
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        return "channels come last: array.transpose(1, 2, 0)"
    if array.ndim == 3 and array.shape[2] == 4:
        return "pass red, green and blue only, e.g. array[..., :3] of RGBA"
    if array.ndim == 4:
        return "pass the images one by one, or as a list"
    if array.dtype.kind == "b":
        return "convert it, e.g. array.astype(np.uint8) * 255"
    if array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1:  # not with NaN
        return "convert it, e.g. (array * 255).round().astype(np.uint8)"
    return "convert it, and choose which values become black (0) and white (255)"


def _refuse_shares(image: np.ndarray, value_range: ValueRange) -> None:
    """Refuse floating-point values in [0, 1] where the range is that of whole numbers."""
    is_share = image.dtype.kind == "f" and bool(np.nanmin(image) >= 0 and np.nanmax(image) <= 1)
    if is_share and value_range[1] - value_range[0] > 2:
        raise ImageError(
            f"an array of type {image.dtype} with values in [0, 1]",
            expected=f"values as in the training photos: {value_range[0]:g} becomes black and "
            f"{value_range[1]:g} white",
            remedy="pass the photo's own values, or uint8: (array * 255).round().astype(np.uint8)",
        )
