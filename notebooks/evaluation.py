# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Evaluation: how good, how sure, and what to do
#
# "Mean IoU 71 %" raises questions. How much of that is luck? Which class, which image, which kind
# of error costs most? Is the new model better than the old one? This notebook answers them for
# two models that are trained for some seconds on drawn street scenes.

# %%
import matplotlib.pyplot as plt
import numpy as np

import fullconv as fc

SOURCE = "scenes:80@96x128"
train, val = fc.open_data(SOURCE, split="train"), fc.open_data(SOURCE, split="val")
print(len(train), "scenes to train on,", len(val), "to test on")


def trained(steps):
    """Return the default network after some steps of training."""
    config = fc.TrainConfig(steps=steps, crop=(96, 96), batch=4)
    *_, step = fc.train("auto", train, config)
    print(f"{steps} steps: loss {step.loss:.2f}")
    return step.model


short, long = trained(25), trained(60)

# %% [markdown]
# ## 1. One number, and its interval
#
# The test scenes are a sample. Had we drawn others, the number would be another one. How far
# would it move? Draw scenes out of these with replacement, 2,000 times, compute the mean IoU of
# each draw, and see where 95 % of them lie: the *bootstrap* interval.
#
# What may be drawn separately? The names (`scene-00064`, `scene-00065`, ...) look like frames of
# a video. Neighbouring frames are alike, so fullconv would draw them in blocks. These scenes are
# independent, and a rule says so.

# %%
EACH = ".+"  # the rule that groups names: every name is a group of its own
first = fc.evaluate(short, val, groups=EACH)
second = fc.evaluate(long, val, groups=EACH, explain=True)
for name, found in (("short", first), ("long", second)):
    low, high = found.resampled.interval
    print(f"{name:6} mean IoU {found.mean_iou:.1%}, 95 % interval {low:.1%} to {high:.1%}")

# %%
plt.figure(figsize=(8, 3))
for name, found in (("short training", first), ("long training", second)):
    plt.hist(100 * found.resampled.mean_iou, bins=40, alpha=0.6, label=name)
plt.xlabel("mean IoU of a resample, %")
plt.yticks([])
plt.legend()
plt.show()

# %% [markdown]
# ## 2. Is the longer training better?
#
# If the two intervals overlap, that does not mean that there is no difference: both models met
# the same scenes, and a hard scene is hard for both. So the *difference* is resampled, scene by
# scene.

# %%
comparison = fc.compare(first, second, names=("short", "long"))
print(comparison.sentence())
print(f"better in {comparison.won} scenes, worse in {comparison.lost}")
for name, change in comparison.classes.items():
    print(f"    {name:12} {100 * change.value:+6.1f} points")

# %% [markdown]
# ## 3. Which classes, and what are they taken for?
#
# The confusion matrix has everything: row *true class*, column *predicted class*, each row as
# shares.

# %%
counts = second.confusion.counts[:, : len(val.classes)].astype(float)
shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
figure, axis = plt.subplots(figsize=(6.5, 5.5))
axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
for row, column in np.argwhere(shares >= 0.005):
    color = "white" if shares[row, column] > 0.6 else "black"
    text = f"{shares[row, column]:.0%}"
    axis.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
axis.set_xticks(range(len(val.classes)), val.classes, rotation=45, ha="right")
axis.set_yticks(range(len(val.classes)), val.classes)
axis.set_xlabel("predicted")
axis.set_ylabel("true")
plt.tight_layout()
plt.show()

# %%
print("        class   accuracy     IoU")
for name, accuracy, iou in zip(val.classes, second.accuracy, second.iou, strict=True):
    print(f"{name:>13} {accuracy:10.1%} {iou:7.1%}")

# %% [markdown]
# Where the accuracy is much higher than the IoU, the class is predicted too often: its pixels are
# found, and others with them.
#
# ## 4. What kind of error costs most?
#
# Every wrong pixel is counted once: near an edge, or away from it *missed*, *invented* or *mixed
# up*. "Gain" is what mean IoU would gain if all pixels of this kind were right.

# %%
explanation = second.explanation
for repair in explanation.kinds:
    print(f"{repair.what:12} {repair.pixels:6} pixels, gain {100 * repair.gain:5.1f} points")
for radius, share in explanation.wrong_within.items():
    print(f"{share:.0%} of the wrong pixels are within {radius} px of an edge")

# %% [markdown]
# Most errors of a segmenter sit at edges, where they are also least noticed. If yours do not,
# look for confusions of whole regions first: more data, or a larger receptive field, may help
# there.
#
# ## 5. Which images?
#
# One mean hides the worst image. `image_iou` has the mean IoU of each.

# %%
ranked = sorted(second.image_iou.items(), key=lambda item: item[1])
print("worst:", *(f"{name} {iou:.0%}" for name, iou in ranked[:3]))
print("best: ", *(f"{name} {iou:.0%}" for name, iou in ranked[-3:]))

_, axes = plt.subplots(2, 4, figsize=(13, 5))
for line, (name, iou) in zip(axes, (ranked[0], ranked[-1]), strict=True):
    sample = val[val.names.index(name)]
    labels = long.predict(sample.image).labels
    wrong = sample.image // 2
    wrong[labels != sample.labels] = (255, 40, 40)
    colored = [fc.palettes.colorize(each, val.palette) for each in (sample.labels, labels)]
    for axis, picture in zip(line, (sample.image, *colored, wrong), strict=True):
        axis.imshow(picture, interpolation="nearest")
        axis.axis("off")
    line[0].set_title(f"{name}: {iou:.0%}")
for axis, title in zip(axes[0, 1:], ("ground truth", "prediction", "wrong pixels"), strict=True):
    axis.set_title(title)
plt.tight_layout()
plt.show()

# %% [markdown]
# ## 6. Can its confidence be trusted?
#
# Among the pixels of which the network is 80 % sure, about 80 % should be right. It is well
# *calibrated* if the points lie on the diagonal. Below it, the network is too sure of itself, as
# networks that were trained for long often are; above it, it is right more often than it
# believes. Larger points are more pixels. Dividing the scores by the *temperature* would
# calibrate it best: a temperature below 1 makes it surer.

# %%
calibration = explanation.calibration
pixels, confidence, right = calibration.bins[calibration.bins[:, 0] > 0].T
plt.figure(figsize=(4.5, 4.5))
plt.plot([0, 1], [0, 1], color="lightgray")
plt.scatter(confidence / pixels, right / pixels, s=300 * pixels / pixels.max() + 5)
plt.xlabel("confidence")
plt.ylabel("share of right pixels")
plt.show()
print(f"calibration error {calibration.error:.1%}, best temperature {calibration.temperature:.2f}")

# %% [markdown]
# ## In a terminal
#
# ```
# fullconv evaluate RUN DATA --explain     # all this as tables, and a page with pictures
# fullconv compare RUN OTHER-RUN           # is it better, or by chance?
# ```
#
# Evaluation is only as honest as the test images: frames of the same video, or patches of the
# same slide, must not be on both sides. `fullconv check` looks for that.
