# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own backbone
#
# An FCN is a classifier that was made dense, with skips added. Which classifier is up to you: one
# of torchvision or timm by its name, or one that you write. This notebook does both, and checks
# with numbers that nothing went wrong.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import fullconv as fc

_ = torch.manual_seed(0)
# %% [markdown]
# ## 1. Any classifier by its name
#
# A network's name is the stride of its finest skip and a classifier. fullconv traces an image
# through the classifier and derives where each feature is in the image, so no table of networks
# is needed.

# %%
network = fc.create_model("fcn8s-resnet18", classes=5)
print("skips at", network.skips)
info = network.feature_info()
for name in (*reversed(network.skips), network.top):
    field = info[name].field
    print(
        f"{name:10} {info[name].width:4} channels, stride {field.stride}, sees {field.size} pixels"
    )

# %% [markdown]
# ## 2. What "made dense" means
#
# A ResNet ends with an average over its 7 x 7 map and a fully connected layer. `convolutionalize`
# turns both into layers for maps. The proof: on an image of the classifier's own size the scores
# are the same; on a larger one there is a grid of them.

# %%
classifier = fc.create_classifier("resnet18", classes=10).eval()
dense = fc.convolutionalize(classifier)
image = torch.randn(1, 3, 224, 224)
with torch.inference_mode():
    difference = (dense(image)[0, :, 0, 0] - classifier(image)[0]).abs().max().item()
    grid = dense(torch.randn(1, 3, 320, 416))
print(
    f"largest difference: {difference:.1e}; on 320 x 416: {grid.shape[2]} x {grid.shape[3]} scores"
)

# %% [markdown]
# ## 3. A classifier of your own
#
# Here is a small one: three blocks of two convolutions, each block with a pooling, so its map has
# stride 8. A decorator gives it a name. Layers have names as well, since skips are found by them:
# the poolings.

# %%
from fullconv.networks.backbones import backbones
from fullconv.networks.layers import NamedSequential


@backbones.register("tiny")
def tiny(classes=1000, *, width=1.0, hidden=None, padding="same"):
    """Build a classifier: (B, 3, 224, 224) -> (B, classes)."""
    layers, inputs = [], 3
    for block, channels in enumerate((16, 32, 64), start=1):
        outputs = round(channels * width)
        for number in (1, 2):
            name = f"{block}_{number}"
            layers.append((f"conv{name}", nn.Conv2d(inputs, outputs, 3, padding=1)))
            layers.append((f"bn{name}", nn.BatchNorm2d(outputs)))
            layers.append((f"relu{name}", nn.ReLU()))
            inputs = outputs
        layers.append((f"pool{block}", nn.MaxPool2d(2, ceil_mode=True)))
    layers += [("flatten", nn.Flatten()), ("fc", nn.Linear(inputs * 28 * 28, classes))]
    return NamedSequential(layers)


# %% [markdown]
# From now on its name works everywhere, in `create_model`, `fc.train` and, from a file of your
# own package, on the command line. Its coarsest stride is 8, so there is an "FCN-8s" without
# skips, and finer ones with them.

# %%
for name in ("fcn8s-tiny", "fcn4s-tiny", "fcn2s-tiny"):
    own = fc.create_model(name, classes=5)
    weights = sum(each.numel() for each in own.parameters())
    top = own.feature_info()[own.top].field
    print(f"{name}: skips {own.skips or 'none'}, {weights:,} weights, sees {top.size} pixels")

# %% [markdown]
# ## 4. Is it aligned?
#
# If a skip were shifted by a pixel against the scores it is added to, training would still work,
# only worse. A test finds it: mirror the image, and the scores must be mirrored, too. (The layers
# have to be symmetric for that, so we mirror their kernels as well.)

# %%
own = fc.create_model("fcn2s-tiny", classes=3).eval()
for layer in own.score_layers():
    nn.init.normal_(layer.weight)
image = 255 * torch.rand(1, 3, 64, 96)
with torch.inference_mode():
    straight = own(image)
    for module in own.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.flip(3)
    mirrored = own(image.flip(3)).flip(3)
difference, largest = (straight - mirrored).abs().max(), straight.abs().max()
print(f"largest difference {difference:.1e} of scores up to {largest:.1f}")

# %% [markdown]
# ## 5. Does it learn?
#
# A new network should first learn a few drawn scenes. Its weights are random, so it takes more
# steps than a pretrained one; but it is small, so the steps are fast.

# %%
train = fc.open_data("scenes:60@96x128", split="train")
val = fc.open_data("scenes:60@96x128", split="val")
curves = {}
for name in ("fcn8s-tiny", "fcn2s-tiny"):
    config = fc.TrainConfig(
        steps=120, crop=(96, 96), batch=4, input_scale=1, weights="none", lr=3e-3
    )
    steps = [(step.loss, step.model) for step in fc.train(name, train, config)]
    curves[name] = [loss for loss, _ in steps], steps[-1][1]

# %%
plt.figure(figsize=(8, 3))
for name, (losses, _) in curves.items():
    plt.plot(np.convolve(losses, np.ones(10) / 10, mode="valid"), label=name)
plt.xlabel("step")
plt.ylabel("loss, mean of 10 steps")
plt.ylim(0)
plt.legend()
plt.show()

# %%
results = {name: fc.evaluate(model, val) for name, (_, model) in curves.items()}
print(f"{'':12}" + "".join(f"{name:>14}" for name in results))
for label, name in enumerate(val.classes):
    print(f"{name:12}" + "".join(f"{each.iou[label]:14.1%}" for each in results.values()))
print(f"{'mean IoU':12}" + "".join(f"{each.mean_iou:14.1%}" for each in results.values()))

# %%
sample = val[1]
pictures = {"scene": sample.image, "ground truth": fc.palettes.colorize(sample.labels, val.palette)}
for name, (_, model) in curves.items():
    pictures[name] = fc.palettes.colorize(model.predict(sample.image).labels, val.palette)
_, axes = plt.subplots(1, len(pictures), figsize=(12, 3))
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, interpolation="nearest")
    axis.set_title(title)
    axis.axis("off")
plt.tight_layout()
plt.show()

# %% [markdown]
# Stride 8 cannot draw people at all: they are narrower than its grid. Stride 2 begins to, and
# follows outlines more closely, but it is also more nervous: specks of one class in another. Both
# see only 36 pixels around each pixel, so both confuse what looks alike nearby. A pretrained
# backbone with a larger receptive field is better at that, which is why it is the default.
#
# To keep a backbone, put it into a file of `fullconv/networks/backbones/` with a test
# (`docs/architecture.md`, "Adding something").
