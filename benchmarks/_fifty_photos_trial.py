"""One trial of `fifty_photos.py`: CANDIDATE DATA MINUTES SEED CORES PEERS; prints JSON.

The loops of the peers follow what they document, with two changes in their favour: the learning
rate ends with the minutes, and they do not evaluate meanwhile, so that all of the time is training.

- segmentation_models_pytorch: examples/camvid_segmentation_multiclass.ipynb. Crops of 320 x 320,
  its augmentation, Dice loss, Adam with 2e-4 and a cosine to 1e-5; the batch is 8 instead of 32,
  with which two cores take 80 steps in 15 minutes. Photos are divided by 255 and normalized as the
  weights expect; prediction at the photo's own size, padded to a multiple of 32.
- torchvision: references/segmentation. The shorter side between 260 and 1040, crops of 480 x 480,
  mirrored, batch 4, SGD with 0.01, momentum 0.9 and a decay of 1e-6 (as for MobileNetV3), a
  polynomial of 0.9, cross entropy, auxiliary loss for DeepLabV3; prediction with a shorter side of
  520, scores brought back. Its own MobileNetV3 has no weights that can be installed offline.
"""

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

from fullconv.data.formats import open_data
from fullconv.data.sample import Data
from fullconv.evaluation.metrics import Confusion
from fullconv.io.palettes import VOID
from fullconv.model import load
from fullconv.weights.imagenet import published_weights

Labels = np.ndarray
Augment = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

OURS = {
    "fullconv": (),
    "fullconv, former default": (
        *("--model", "fcn8s-vgg16_bn", "--weights", "none", "--width", "0.25"),
        *("--size", "512x512", "--batch", "4"),
    ),
}
SMP = {"smp Unet": "unet", "smp FPN": "fpn", "smp DeepLabV3+": "deeplabv3plus"}
TORCHVISION = ("torchvision LRASPP, Lite2", "torchvision DeepLabV3, Lite2")
RANDOM = "torchvision LRASPP, MobileNetV3, random"
CANDIDATES = (*OURS, *SMP, *TORCHVISION, RANDOM)


@dataclass(frozen=True)
class Recipe:
    """How a peer trains and predicts.

    Attributes:
        network: takes normalized images; returns scores, or a dictionary with "out" and "aux".
        mean: of the photos in [0, 1], for each channel.
        std: likewise.
        batch: photos per step.
        augment: photo and labels -> crops of one size.
        optimizer: of the network.
        rate: share of the time that is over -> factor on the learning rate.
        loss: scores and labels -> loss.
        fit: image (1, 3, H, W) -> the size it is predicted at.
    """

    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    batch: int
    augment: Augment
    optimizer: torch.optim.Optimizer
    rate: Callable[[float], float]
    loss: Callable[[Tensor, Tensor], Tensor]
    fit: Callable[[Tensor], Tensor]

    def normalized(self, images: Tensor) -> Tensor:
        """Return photos (B, 3, H, W) in [0, 255] as the network expects them."""
        mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (self.mean, self.std))
        return (images.float() / 255 - mean) / std


class Photos(Dataset[tuple[np.ndarray, np.ndarray]]):
    """Decoded photos and labels, augmented by a recipe."""

    def __init__(self, data: Data, augment: Augment) -> None:
        self.samples = [(sample.image, sample.labels) for sample in data]
        self.augment = augment

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        image, labels = self.augment(*self.samples[index])
        return np.ascontiguousarray(image.transpose(2, 0, 1)), labels.astype(np.int64)


def train(recipe: Recipe, data: Data, minutes: float) -> int:
    """Train until the minutes are over; return the number of steps."""
    start, steps = time.monotonic(), 0
    photos = Photos(data, recipe.augment)
    batch = min(recipe.batch, len(photos))
    loader = DataLoader(
        photos,
        batch,
        sampler=RandomSampler(photos, num_samples=10**7),
        num_workers=2,
        worker_init_fn=lambda worker: np.random.seed(torch.initial_seed() % 2**32),
    )
    rates = [group["lr"] for group in recipe.optimizer.param_groups]
    recipe.network.train()
    for images, labels in loader:
        over = (time.monotonic() - start) / (60 * minutes)
        if over >= 1:
            break
        for group, rate in zip(recipe.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * recipe.rate(over)
        found = recipe.network(recipe.normalized(images))
        scores = found if isinstance(found, dict) else {"out": found}
        loss = recipe.loss(scores["out"], labels)
        if "aux" in scores:
            loss = loss + 0.5 * recipe.loss(scores["aux"], labels)
        recipe.optimizer.zero_grad()
        loss.backward()
        recipe.optimizer.step()
        steps += 1
    return steps


@torch.inference_mode()
def predict(recipe: Recipe, image: np.ndarray) -> Labels:
    """Predict a photo as the peer documents, with the scores at the photo's own size."""
    height, width = image.shape[:2]
    given = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    fitted = recipe.fit(recipe.normalized(given))
    found = recipe.network(fitted)
    score = found["out"] if isinstance(found, dict) else found
    if recipe.fit is padded:
        score = score[..., :height, :width]
    score = F.interpolate(score, (height, width), mode="bilinear", align_corners=False)
    labels: np.ndarray = score[0].argmax(0).to(torch.uint8).numpy()
    return labels


def padded(image: Tensor) -> Tensor:
    """Pad an image right and below to sides that are multiples of 32."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % 32, 0, -height % 32))


def resized(image: Tensor) -> Tensor:
    """Scale an image to a shorter side of 520 pixels."""
    factor = 520 / min(image.shape[-2:])
    size = [round(side * factor) for side in image.shape[-2:]]
    return F.interpolate(image, size, mode="bilinear", antialias=True)


def encoder_weights() -> list[tuple[str, Tensor]]:
    """Return the arrays of EfficientNet-Lite2's file; the classifier's are the last two."""
    published = published_weights("efficientnet_lite2")
    path = published.file() if published else None
    assert path is not None
    return [*torch.load(path, weights_only=True).items()]


def load_encoder(network: nn.Module) -> None:
    """Load the encoder weights into timm's layers: another naming, the same order and shapes."""
    given, own = encoder_weights(), network.state_dict()
    assert len(given) >= len(own), "fewer arrays than the network has"
    paired = list(zip(own.items(), given, strict=False))
    assert all(mine.shape == array.shape for (_, mine), (_, array) in paired)
    network.load_state_dict({name: array for (name, _), (_, array) in paired})


def smp_recipe(arch: str, classes: int) -> Recipe:
    """Return the recipe of a network of segmentation_models_pytorch."""
    import segmentation_models_pytorch as smp

    network = smp.create_model(
        arch,
        encoder_name="timm-tf_efficientnet_lite2",
        encoder_weights=None,
        in_channels=3,
        classes=classes,
    )
    load_encoder(network.encoder)
    low = 1e-5 / 2e-4
    return Recipe(
        network,
        (0.5,) * 3,
        (0.5,) * 3,
        8,
        smp_augmentation(),
        torch.optim.Adam(network.parameters(), lr=2e-4),
        lambda over: low + (1 - low) * (1 + math.cos(math.pi * over)) / 2,
        smp.losses.DiceLoss("multiclass", from_logits=True, ignore_index=VOID),
        padded,
    )


def smp_augmentation() -> Augment:
    """Return the augmentation of segmentation_models_pytorch's example; outside is void."""
    import albumentations as A

    contrast = A.RandomBrightnessContrast(p=1)
    edge: dict[str, Any] = {"border_mode": 0, "fill_mask": VOID}
    transform = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.ShiftScaleRotate(scale_limit=0.5, rotate_limit=0, shift_limit=0.1, p=1, **edge),
            A.PadIfNeeded(320, 320, **edge),
            A.RandomCrop(320, 320),
            A.GaussNoise(p=0.2),
            A.Perspective(p=0.5, fill_mask=VOID),
            A.OneOf([A.CLAHE(p=1), contrast, A.RandomGamma(p=1)], p=0.9),
            A.OneOf(
                [A.Sharpen(p=1), A.Blur(blur_limit=3, p=1), A.MotionBlur(blur_limit=3, p=1)], p=0.9
            ),
            A.OneOf([contrast, A.HueSaturationValue(p=1)], p=0.9),
        ]
    )

    def augment(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = transform(image=image, mask=labels)
        return found["image"], found["mask"]

    return augment


class Lite2Features(nn.Module):
    """EfficientNet-Lite2 with a stride of 16, as torchvision's heads take it."""

    def __init__(self, names: dict[str, int]) -> None:
        super().__init__()
        import timm

        self.names = names
        self.layers = timm.create_model(
            "tf_efficientnet_lite2", features_only=True, output_stride=16
        )
        load_encoder(self.layers)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the features by name."""
        found = self.layers(image)
        return OrderedDict((name, found[index]) for name, index in self.names.items())


def torchvision_network(candidate: str, classes: int) -> nn.Module:
    """Return a network of torchvision, on Lite2 or, without weights, on its own MobileNetV3."""
    from torchvision.models import segmentation
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead
    from torchvision.models.segmentation.fcn import FCNHead
    from torchvision.models.segmentation.lraspp import LRASPP

    if candidate == RANDOM:
        return segmentation.lraspp_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=classes
        )
    if "LRASPP" in candidate:
        return LRASPP(Lite2Features({"low": 2, "high": 4}), 48, 352, classes)
    backbone = Lite2Features({"out": 4, "aux": 3})
    return segmentation.DeepLabV3(backbone, DeepLabHead(352, classes), FCNHead(120, classes))


def torchvision_recipe(candidate: str, classes: int) -> Recipe:
    """Return the recipe of torchvision's reference training."""
    network = torchvision_network(candidate, classes)
    lite = candidate != RANDOM
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-6)
    return Recipe(
        network,
        (0.5,) * 3 if lite else (0.485, 0.456, 0.406),
        (0.5,) * 3 if lite else (0.229, 0.224, 0.225),
        4,
        reference_augmentation,
        optimizer,
        lambda over: (1 - over) ** 0.9,
        lambda scores, labels: F.cross_entropy(scores, labels, ignore_index=VOID),
        resized,
    )


def reference_augmentation(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resize, mirror and crop a photo as torchvision's reference does; outside is void."""
    from fullconv.io.images import scale_image, scale_labels

    factor = np.random.randint(260, 1041) / min(labels.shape)
    size = (round(labels.shape[0] * factor), round(labels.shape[1] * factor))
    image, labels = scale_image(image, size), scale_labels(labels, size)
    if np.random.rand() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    below, right = (max(0, 480 - side) for side in size)
    image = np.pad(image, ((0, below), (0, right), (0, 0)))
    labels = np.pad(labels, ((0, below), (0, right)), constant_values=VOID)
    top, left = (np.random.randint(0, side - 479) for side in labels.shape)
    rows, columns = slice(top, top + 480), slice(left, left + 480)
    return image[rows, columns], labels[rows, columns]


def run_ours(options: tuple[str, ...], data: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Train with the command line, as a user would, then evaluate."""
    with tempfile.TemporaryDirectory() as folder:
        given = ("--minutes", minutes, "--seed", seed, "--out", folder, "--name", "trial")
        command = [sys.executable, "-m", "fullconv", "train", data, *options, *given, "--quiet"]
        start = time.monotonic()
        subprocess.run([*map(str, command)], check=True, stdout=sys.stderr)
        spent = time.monotonic() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        run = Path(folder, "train", "trial-001")
        rows = (run / "results.csv").read_text().splitlines()
        last = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
        model = load(run).optimize()
        found = evaluate(lambda image: model.predict(image).labels, data)
    return found | {
        "train_minutes": spent / 60,
        "peak_bytes": 1024 * peak,
        "steps": int(last["step"]),
    }


def run_peer(candidate: str, data: Path, minutes: float) -> dict[str, Any]:
    """Train a peer, then evaluate."""
    samples = open_data(data, "train")
    classes = len(samples.classes)
    arch = SMP.get(candidate)
    recipe = smp_recipe(arch, classes) if arch else torchvision_recipe(candidate, classes)
    start = time.monotonic()
    steps = train(recipe, samples, minutes)
    spent = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    recipe.network.eval()
    found = evaluate(lambda image: predict(recipe, image), data)
    return found | {
        "train_minutes": spent / 60,
        "peak_bytes": 1024 * peak,
        "steps": steps,
    }


def evaluate(predicted: Callable[[np.ndarray], Labels], data: Path) -> dict[str, Any]:
    """Return mean IoU and each class's over val, at the photos' own size."""
    val = open_data(data, "val")
    confusion = Confusion(len(val.classes))
    for sample in val:
        confusion.add(sample.labels, predicted(sample.image))
    iou = dict(zip(val.classes, map(float, confusion.iou), strict=True))
    return {"mean_iou": confusion.mean_iou, "iou": iou}


def main(candidate: str, data: Path, minutes: float, seed: int, cores: int, peers: str) -> None:
    """Run a trial and print its result."""
    if candidate in OURS:
        result = run_ours(OURS[candidate], data, minutes, seed)
    else:
        sys.path.append(peers)
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else it looks for a newer version
        warnings.simplefilter("ignore")
        torch.set_num_threads(cores)
        torch.manual_seed(seed)
        result = run_peer(candidate, data, minutes)
    print(json.dumps(result))


if __name__ == "__main__":
    name, folder, time_given, number, cpus, packages = sys.argv[1:]
    main(name, Path(folder), float(time_given), int(number), int(cpus), packages)
