"""What a smaller fc6 costs in mean IU: `python benchmarks/smaller_fc6.py [DATA]`.

FCN-8s on VGG-11 with batch norm, a quarter as wide, fc6 512 wide, is trained on drawn street scenes
(or on DATA). Its fc6 is then replaced by the nearest one of a lower rank, or loses its smallest
weights, without training again; and a network whose fc6 is half as wide is trained the same way.
Mean IU is that of the val split. Operations are fc6's, over those of the whole fc6; pruned weights
save none unless whole rows are zero, so that none are told.
"""

import sys

import torch
from torch import Tensor

import fullconv as fc
from fullconv.data.sample import Data

SCENES = "scenes:200@96x128"
EPOCHS, HIDDEN = 20, 512
RANKS = (256, 64, 16, 4, 1)
PRUNED = (0.5, 0.75, 0.9, 0.95)


def trained(data: Data, hidden: int) -> fc.Model:
    """A network that has learned the data."""
    settings = {"width": 0.25, "hidden": hidden, "epochs": EPOCHS, "crop": (96, 128)}
    config = fc.TrainConfig(model="fcn8s-vgg11_bn", **settings)  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = fc.create_model(config.model, len(data.classes), width=0.25, hidden=hidden)
    model = fc.Model(network, data.classes, data.palette)
    for _ in fc.train(model, data, config):
        pass
    network.eval()
    return model


def of_rank(weight: Tensor, rank: int) -> Tensor:
    """The nearest weights that are a convolution to `rank` maps and one of 1 x 1 behind it."""
    left, values, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    return ((left[:, :rank] * values[:rank]) @ right[:rank]).view_as(weight)


def pruned(weight: Tensor, share: float) -> Tensor:
    """The weights without the smallest ones."""
    least = weight.abs().flatten().sort().values[int(share * weight.numel())]
    return weight * (weight.abs() >= least)


def main() -> None:
    """Print the table."""
    source = sys.argv[1] if sys.argv[1:] else SCENES
    train, val = (fc.open_data(source, split) for split in ("train", "val"))
    print(f"{source}: {len(train)} to train, {len(val)} to measure; {EPOCHS} epochs")
    print("| fc6 | operations | mean IU |")
    print("|---|---|---|")
    model = trained(train, HIDDEN)
    weight = model.network.get_submodule("backbone.fc6").weight
    assert isinstance(weight, Tensor)
    whole, outputs, inputs = weight.detach().clone(), len(weight), weight[0].numel()
    others = {f"rank {rank}": of_rank(whole, rank) for rank in RANKS}
    others |= {f"{share:.0%} of the weights zero": pruned(whole, share) for share in PRUNED}
    work = {f"rank {rank}": rank * (inputs + outputs) / (inputs * outputs) for rank in RANKS}
    for name, changed in {f"{outputs} wide": whole, **others}.items():
        with torch.no_grad():
            weight.copy_(changed)
        share = work.get(name, 1.0)
        print(f"| {name} | {share:.2f} | {fc.evaluate(model, val).mean_iou:.2%} |", flush=True)
    half = trained(train, HIDDEN // 2)
    print(f"| {HIDDEN // 2} wide, trained so | 0.50 | {fc.evaluate(half, val).mean_iou:.2%} |")


if __name__ == "__main__":
    main()
