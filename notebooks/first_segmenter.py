# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your first segmenter
#
# In about a minute, on one CPU core, this notebook trains a network that finds cell nuclei in
# microscopy photos. The photos come with fullconv, and so do the ImageNet weights that training
# starts from: nothing is downloaded.
#
# **Semantic segmentation** gives every pixel a class. Here there are two: *background* and
# *nucleus*.

# %%
import matplotlib.pyplot as plt
import numpy as np

import fullconv as fc

train = fc.open_data("samples:nuclei", split="train")
val = fc.open_data("samples:nuclei", split="val")
print(
    f"{len(train)} photos to train on, {len(val)} to test on, classes: {', '.join(train.classes)}"
)

# %% [markdown]
# ## 1. Look at the data
#
# A sample is a photo and its *labels*: an array of the same height and width that holds the class
# number of each pixel, 0 or 1. (255 is the ignore label: the class is not known.)


# %%
def show(*rows, titles=()):
    """Show rows of pictures and label maps, with titles over the first row."""
    _, axes = plt.subplots(
        len(rows), len(rows[0]), figsize=(11, 11 * len(rows) / len(rows[0])), squeeze=False
    )
    for line, pictures in zip(axes, rows, strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture, vmin=0, vmax=1, cmap="inferno", interpolation="nearest")
            axis.axis("off")
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title)
    plt.tight_layout()
    plt.show()


first = train[0]
print(
    "photo",
    first.image.shape,
    first.image.dtype,
    "labels",
    first.labels.shape,
    np.unique(first.labels),
)
show(
    [train[index].image for index in (0, 5, 10)],
    [train[index].labels for index in (0, 5, 10)],
    titles=["three training photos, and below them their labels"],
)

# %% [markdown]
# How many of the pixels are nuclei? Remember the number, we will need it.

# %%
nucleus = np.mean([np.mean(sample.labels == 1) for sample in train])
print(f"{nucleus:.0%} of the training pixels are nucleus, {1 - nucleus:.0%} are background")

# %% [markdown]
# ## 2. Train
#
# `fc.train` is a loop that you own: it yields after every step. A *step* takes four random crops,
# compares the network's scores with the labels (the *loss*, smaller is better) and changes the
# weights a little. `"auto"` is the default network: an FCN on EfficientNet-Lite2, pretrained to
# classify photos of ImageNet, with a skip for details.

# %%
config = fc.TrainConfig(steps=60, crop=(128, 128), batch=4)
losses = []
for step in fc.train("auto", train, config):
    losses.append(step.loss)
    if step.number % 15 == 0:
        print(f"step {step.number}: loss {np.mean(losses[-15:]):.2f}")
model = step.model
print(model)

# %% [markdown]
# Single steps jump, since each sees other crops; their mean over ten steps shows the trend.

# %%
smooth = np.convolve(losses, np.ones(10) / 10, mode="valid")
plt.figure(figsize=(8, 3))
plt.plot(range(1, len(losses) + 1), losses, color="lightsteelblue", label="each step")
plt.plot(range(10, len(losses) + 1), smooth, color="navy", label="mean of 10 steps")
plt.xlabel("step")
plt.ylabel("loss")
plt.ylim(0)
plt.legend()
plt.show()

# %% [markdown]
# ## 3. Predict photos that the network has never seen
#
# The model takes photos of any size. It returns a `Prediction`: the class of every pixel, the
# probabilities, and the share of each class.

# %%
shown = (0, 4, 5)
predictions = {index: model.predict(val[index].image) for index in shown}
print(predictions[0])
show(
    *[
        [
            val[index].image,
            val[index].labels,
            predictions[index].probabilities[1],
            predictions[index].labels,
        ]
        for index in shown
    ],
    titles=["photo", "ground truth", "probability of nucleus", "prediction"],
)

# %% [markdown]
# The probability is highest in the middle of a nucleus and falls off at its edge: that is where
# the network is unsure, and where most errors are. A pixel becomes *nucleus* above 1/2. The small
# nuclei of the first photo can be seen in the probability, but few of their pixels reach 1/2 yet.
#
# ## 4. How good is it?
#
# *Pixel accuracy* is the share of pixels that are right. It sounds good even for a network that
# has learned nothing, if one class is common. So segmentation is measured by **mean IoU**: for
# each class the intersection of prediction and truth, divided by their union, and then the mean.

# %%
evaluation = fc.evaluate(model, val)
nothing = fc.Confusion(len(val.classes))  # a "network" that predicts background everywhere
for sample in val:
    nothing.add(sample.labels, np.zeros_like(sample.labels))

print(f"{'':24}pixel accuracy   mean IoU")
for name, found in (("always background", nothing), ("our model", evaluation)):
    print(f"{name:24}{found.pixel_accuracy:14.1%}{found.mean_iou:11.1%}")
for name, iou in zip(val.classes, evaluation.iou, strict=True):
    print(f"    IoU of {name:12} {iou:.1%}")

# %% [markdown]
# "Always background" is right at most pixels and useless: its IoU of *nucleus* is 0, so its mean
# IoU is less than half. Always ask for the IoU of the class that you care about.
#
# ## 5. Use it
#
# A model is one file, with weights, class names and colours. It is saved, loaded, and asked a
# question of a biologist: how many nuclei are there?

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from scipy.ndimage import label

with TemporaryDirectory() as folder:
    file = Path(folder) / "nuclei.safetensors"
    model.save(file)
    print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")
    loaded = fc.load(file)

sample = val[4]
prediction = loaded.predict(sample.image)
for name, labels in (("ground truth", sample.labels), ("prediction", prediction.labels)):
    sizes = np.bincount(label(labels == 1)[0].ravel())[1:]
    print(f"{name}: {np.sum(sizes >= 30)} separate regions, {np.mean(labels == 1):.1%} of the area")

# %%
show([sample.image, prediction.overlay(legend=False)], titles=["photo", "prediction as an overlay"])

# %% [markdown]
# Both are lower than those of the ground truth. The area, since the network is still careful: it
# leaves out the rim of a nucleus, where the probability is below 1/2. The number, since nuclei that
# touch become one region: the network decides about pixels, not about objects.
#
# ## What next
#
# - Train longer. In a terminal, `fullconv train samples:nuclei` trains for 15 minutes, keeps the
#   best model and writes a report.
# - Train on your own photos: the notebook *Your own data*.
# - Find out where the errors are: the notebook *Evaluation*.
