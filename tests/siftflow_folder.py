"""A small folder with the layout of SIFT Flow: labels of two kinds for each photo."""

import numpy as np
from PIL import Image
from scipy.io import savemat

SCENES = "spatial_envelope_256x256_static_8outdoorcategories"
TRAINED = 4  # of 6 photos; the others are in val


def write_siftflow(root):
    """Write six photos: the upper half is sky and vertical, the lower half road and horizontal."""
    draw = np.random.default_rng(0)
    for folder in ("Images", "SemanticLabels", "GeoLabels"):
        (root / folder / SCENES).mkdir(parents=True)
    for number in range(6):
        photo = draw.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        geo = np.full((24, 32), 1, np.int16)
        geo[12:] = 2
        geo[:3] = -1
        semantic = np.where(geo == 2, 22, 28).astype(np.uint8)  # road and sky
        semantic[0, 0] = 0
        Image.fromarray(photo).save(root / "Images" / SCENES / f"a{number}.png")
        savemat(root / "SemanticLabels" / SCENES / f"a{number}.mat", {"S": semantic})
        savemat(root / "GeoLabels" / SCENES / f"a{number}.mat", {"S": geo})
    return root


def write_lists(root):
    """Write train.txt and val.txt of a folder from `write_siftflow`."""
    names = [f"{SCENES}/a{number}\n" for number in range(6)]
    (root / "train.txt").write_text("".join(names[:TRAINED]))
    (root / "val.txt").write_text("".join(names[TRAINED:]))
    return root
