"""Mean IoU of networks with a smaller fc6: `python benchmarks/smaller_fc6.py [DATA]`.

FCN-8s on VGG-11 with batch norm, width 0.25, 512 channels in fc6, is trained on synthetic street
scenes (or on DATA). Its fc6 is then replaced by the nearest weight of a lower rank, or its smallest
weights are pruned, without fine-tuning; and a network with half the channels in fc6 is trained the
same way. Mean IoU is that of the val split. Multiply-adds are those of fc6, relative to the
original; pruning single weights saves none.
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


def train_model(data: Data, hidden: int) -> fc.Model:
    """Train a network on the data."""
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
    """Return the nearest weight that is a convolution to `rank` channels and then a 1 x 1 one."""
    left, values, right = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    return ((left[:, :rank] * values[:rank]) @ right[:rank]).view_as(weight)


def pruned(weight: Tensor, share: float) -> Tensor:
    """Set the smallest weights to zero."""
    threshold = weight.abs().flatten().sort().values[int(share * weight.numel())]
    return weight * (weight.abs() >= threshold)


def main() -> None:
    """Print the table."""
    source = sys.argv[1] if sys.argv[1:] else SCENES
    train, val = (fc.open_data(source, split) for split in ("train", "val"))
    print(f"{source}: {len(train)} images to train, {len(val)} to evaluate; {EPOCHS} epochs")
    print("| fc6 | multiply-adds | mean IoU |")
    print("|---|---|---|")
    model = train_model(train, HIDDEN)
    weight = model.network.get_submodule("backbone.fc6").weight
    assert isinstance(weight, Tensor)
    original, outputs, inputs = weight.detach().clone(), len(weight), weight[0].numel()
    others = {f"rank {rank}": of_rank(original, rank) for rank in RANKS}
    others |= {f"{share:.0%} of the weights pruned": pruned(original, share) for share in PRUNED}
    work = {f"rank {rank}": rank * (inputs + outputs) / (inputs * outputs) for rank in RANKS}
    for name, changed in {f"{outputs} channels": original, **others}.items():
        with torch.no_grad():
            weight.copy_(changed)
        share = work.get(name, 1.0)
        print(f"| {name} | {share:.2f} | {fc.evaluate(model, val).mean_iou:.2%} |", flush=True)
    half = train_model(train, HIDDEN // 2)
    print(f"| {HIDDEN // 2} channels, trained | 0.50 | {fc.evaluate(half, val).mean_iou:.2%} |")


if __name__ == "__main__":
    main()
