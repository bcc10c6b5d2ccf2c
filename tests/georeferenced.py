"""Georeferenced rasters drawn by tests, and whole-image predictions for them."""

import numpy as np
import torch

SIZE = (150, 190)


def random_bands(bands=4, size=SIZE, seed=0, kind=np.uint8):
    """Return bands of random squares, (bands, height, width)."""
    random = np.random.default_rng(seed)
    top = min(np.iinfo(kind).max, 4000)
    squares = random.integers(1, top + 1, (bands, -(-size[0] // 10), -(-size[1] // 10)))
    return np.kron(squares, np.ones((1, 10, 10), int)).astype(kind)[:, : size[0], : size[1]]


def write(path, values, georeferenced=True, colorinterp=None, mask=None, **options):
    """Write bands (bands, height, width), by default georeferenced: north up in UTM."""
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"count": len(values), "height": values.shape[1], "width": values.shape[2]}
    reference = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 4e5, 0, -10, 5.8e6)}
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    options = {"driver": "GTiff"} | tiles | (reference if georeferenced else {}) | options
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", dtype=values.dtype, **shape, **options) as file,
    ):
        file.write(values)
        if colorinterp:
            file.colorinterp = [rasterio.enums.ColorInterp[name] for name in colorinterp]
        if mask is not None:
            file.write_mask(mask)
    return path


def read(path):
    """Return the values of a label file."""
    import rasterio

    with rasterio.open(path) as file:
        return file.read(1)


@torch.inference_mode()
def predict_whole(model, image, valid=True):
    """Predict the labels of a whole image (3, H, W); 255 where it is not valid."""
    pixels = np.where(valid, image, 0).astype(np.float32)
    score = model.network.eval()(torch.from_numpy(pixels)[None])[0]
    return np.where(valid, score.argmax(0).numpy(), 255).astype(np.uint8)
