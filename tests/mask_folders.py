"""Folders of random photos and masks of given values or colours."""

import numpy as np
from PIL import Image


def folder_of(folder, masks):
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number, mask in enumerate(masks):
        noise = np.random.default_rng(number).integers(0, 255, (*mask.shape[:2], 3), np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{number}.png")
        Image.fromarray(np.asarray(mask, np.uint8)).save(folder / "masks" / f"{number}.png")
    return folder


def drawn(values, shares, number=4):
    picked = [
        np.random.default_rng(seed).choice(len(values), (40, 50), p=shares)
        for seed in range(number)
    ]
    return [np.array(values, np.uint8)[labels] for labels in picked]
