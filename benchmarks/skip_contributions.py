"""What each stride of a trained network adds: `python benchmarks/skip_contributions.py RUN DATA`.

Predicts with the scores of the coarsest stride alone, then with each finer one added, and prints
the IoU of every class, the accuracy near the edges between classes and away from them, and how
many of the predicted regions are specks. The network was trained with all of its scores, so a
coarse row is not what a coarse network would reach; it shows where the detail comes from.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F

import fullconv as fc
from fullconv.evaluation.boundary import edge_distance
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.regions import connected_regions
from fullconv.explain.skips import skip_contributions
from fullconv.io.images import fit_size, scale_image

NEAR = 3  # pixels from an edge between two classes
SPECK = 50  # pixels; regions of 16 (what `connected_regions` counts) to 49 are specks


def main() -> None:
    """Print one row per stride, and one for the ground truth's regions."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run")
    parser.add_argument("data")
    parser.add_argument("--split", default="val")
    parser.add_argument("--every", type=int, default=4, help="use every n-th image (default 4)")
    options = parser.parse_args()
    model = fc.load(options.run)
    data = fc.open_data(options.data, split=options.split)
    totals: dict[str, Confusion] = {}
    edges: dict[str, np.ndarray] = {}
    specks: dict[str, int] = {}
    indices = range(0, len(data), options.every)
    for sample in data.take(indices):
        size = fit_size(sample.labels.shape, model.size, model.input_scale)
        image = scale_image(sample.image, size)
        batch = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
        known = sample.labels != 255
        near = edge_distance(sample.labels, NEAR + 1) <= NEAR
        count_specks(specks, "ground truth", sample.labels)
        score = torch.zeros(())
        for each in skip_contributions(model.network.eval(), batch):
            score = score + each.score
            own = F.interpolate(score[None], sample.labels.shape, mode="bilinear")
            labels = own[0].argmax(0).numpy().astype(np.uint8)
            total = totals.setdefault(each.name, Confusion(len(model.classes)))
            total.add(sample.labels, labels)
            right = labels == sample.labels
            counts = [(right & known & part).sum() for part in (near, ~near)]
            counts += [(known & part).sum() for part in (near, ~near)]
            edges[each.name] = edges.get(each.name, np.zeros(4, int)) + counts
            count_specks(specks, each.name, labels)
    print(f"{len(indices)} images of {options.data}, {options.split}")
    print(f"specks, regions of 16 to {SPECK - 1} pixels; ground truth: {specks['ground truth']}")
    for name, total in totals.items():
        near_right, far_right, near_all, far_all = edges[name]
        print(
            f"up to {name}: mean IoU {100 * total.mean_iou:.1f}, within {NEAR} px of an edge "
            f"{100 * near_right / near_all:.1f}, elsewhere {100 * far_right / far_all:.1f}, "
            f"specks {specks[name]}"
        )
        print(
            "  "
            + ", ".join(f"{c} {100 * v:.1f}" for c, v in zip(model.classes, total.iou, strict=True))
        )


def count_specks(specks: dict[str, int], name: str, labels: np.ndarray) -> None:
    """Add the number of small regions of a label map."""
    regions = connected_regions(labels).values()
    specks[name] = specks.get(name, 0) + sum(int((table[:, 1] < SPECK).sum()) for table in regions)


if __name__ == "__main__":
    main()
