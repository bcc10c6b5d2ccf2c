# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own data
#
# Photos and one mask for each: that is all that fullconv needs. This notebook writes such a
# folder, makes the two most common mistakes, lets `fullconv check` find them, and trains on the
# result.
#
# ```
# photos/
#   images/       01.jpg, 02.jpg, ...
#   masks/        01.png, 02.png, ...   the same names
#   classes.txt   a line for each class: value, name and, if you like, a colour
# ```

# %%
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import fullconv as fc

# %% [markdown]
# ## 1. Some photos
#
# In place of a camera, a function draws leaves with yellow spots on soil, and at the same time
# the mask. In a mask, the *value* of a pixel is its class: 0 soil, 1 leaf, 2 spot. With photos of
# your own, a labelling tool draws the mask (`docs/labelling.md`).

# %%
CLASSES = {"soil": "#6b5340", "leaf": "#2f9e44", "spot": "#ffd43b"}  # with a colour for each


def draw_leaf(number: int) -> tuple[Image.Image, Image.Image]:
    """Draw a photo of a leaf, and its mask."""
    random = np.random.default_rng(number)
    photo = Image.fromarray(
        (random.integers(60, 110, (96, 128, 1)) * [1, 0.8, 0.6]).astype(np.uint8)
    )
    mask = Image.new("L", photo.size, 0)
    both = ImageDraw.Draw(photo), ImageDraw.Draw(mask)
    x, y = random.integers(35, 90), random.integers(35, 60)
    wide, high = random.integers(25, 45), random.integers(18, 32)
    leaf = (x - wide, y - high, x + wide, y + high)
    both[0].ellipse(leaf, fill=(40, int(random.integers(110, 160)), 50))
    both[1].ellipse(leaf, fill=1)
    for _ in range(random.integers(2, 6)):
        angle, far = random.uniform(0, 2 * np.pi), random.uniform(0, 0.6)
        at = x + far * wide * np.cos(angle), y + far * high * np.sin(angle)
        size = random.uniform(2.5, 6)
        spot = (at[0] - size, at[1] - size, at[0] + size, at[1] + size)
        both[0].ellipse(spot, fill=(200, 170, 60))
        both[1].ellipse(spot, fill=2)
    return photo.filter(ImageFilter.GaussianBlur(0.8)), mask


folder = Path(mkdtemp()) / "leaves"
for name in ("images", "masks"):
    (folder / name).mkdir(parents=True)
for number in range(24):
    photo, mask = draw_leaf(number)
    photo.save(folder / "images" / f"{number:02}.jpg", quality=92)
    mask.save(folder / "masks" / f"{number:02}.png")
lines = [f"{value} {name} {color}" for value, (name, color) in enumerate(CLASSES.items())]
(folder / "classes.txt").write_text("\n".join(lines) + "\n")
print((folder / "classes.txt").read_text())
print(*sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*0[01].*")))

# %% [markdown]
# Open such a mask in a viewer and it is black: the values are 0, 1 and 2 of 255. It is correct
# all the same. fullconv shows it in colours.

# %%
data = fc.open_data(folder)
sample = data[3]
print(data.names[3], "values in the mask:", np.unique(sample.labels))
_, axes = plt.subplots(1, 3, figsize=(11, 3))
raw = np.asarray(Image.open(folder / "masks" / "03.png"))
pictures = (sample.image, raw, fc.palettes.colorize(sample.labels, data.palette))
titles = ("photo", "its mask in a viewer", "the same values in colours")
for axis, picture, title in zip(axes, pictures, titles, strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axis.set_title(title)
    axis.axis("off")
plt.tight_layout()
plt.show()

# %% [markdown]
# ## 2. Two mistakes, and who finds them
#
# The two that happen most: a mask saved as JPEG or resized with smoothing, which invents values
# between the classes, and a photo without a mask. We make both, and run the check that you should
# run before every first training (in a terminal: `fullconv check leaves`).

# %%
(folder / "masks" / "05.png").rename(folder / "05.png")  # photo 05 has no mask now
mask = Image.open(folder / "masks" / "07.png")
smooth = mask.point(lambda value: 40 * value).filter(ImageFilter.GaussianBlur(2))
smooth.save(folder / "masks" / "07.png")

# %%
# !TERM=dumb fullconv check {folder} --out {folder.parent / "checked"}

# %% [markdown]
# Each problem is named with its file, what was expected, and what to do. The values between the
# classes would otherwise have become wrong labels without a word. We put both masks back.

# %%
(folder / "05.png").rename(folder / "masks" / "05.png")
mask.save(folder / "masks" / "07.png")
train, val = fc.open_data(folder, split="train"), fc.open_data(folder, split="val")
print(len(train), "photos to train on,", len(val), "held out:", ", ".join(val.names))

# %% [markdown]
# Nobody said which photos are held out: a hash of the file name decides, so that the same photos
# are held out tomorrow, and when you add more. To decide yourself, put names into `train.txt` and
# `val.txt`.
#
# ## 3. Train
#
# How common is each class? The rare one, *spot*, is the one that we want.

# %%
pixels = np.bincount(np.concatenate([each.labels.ravel() for each in train]), minlength=3)
for name, share in zip(CLASSES, pixels / pixels.sum(), strict=True):
    print(f"{name:5} {share:6.1%}")

# %%
config = fc.TrainConfig(steps=80, crop=(96, 96), batch=4)
for step in fc.train("auto", train, config):
    if step.number % 20 == 0:
        print(f"step {step.number}: loss {step.loss:.2f}")
model = step.model
evaluation = fc.evaluate(model, val)
print(f"mean IoU {evaluation.mean_iou:.1%}")
for name, iou in zip(CLASSES, evaluation.iou, strict=True):
    print(f"    {name:5} {iou:6.1%}")

# %% [markdown]
# The large classes are easy. Every spot is found, too, but spots are small: most of their pixels
# are at an edge, and an error of one pixel along the edge costs a small object much of its IoU. So
# the same care at the edges gives the leaf more than 90 %, and the spots far less.

# %%
_, axes = plt.subplots(3, 3, figsize=(11, 8))
for column, index in zip(axes.T, range(3), strict=True):
    sample = val[index]
    prediction = model.predict(sample.image)
    wrong = sample.image // 2
    wrong[prediction.labels != sample.labels] = (255, 40, 40)
    pictures = (sample.image, prediction.overlay(legend=False), wrong)
    for axis, picture in zip(column, pictures, strict=True):
        axis.imshow(picture)
        axis.axis("off")
    shares = {name: f"{share:.1%}" for name, share in prediction.areas.items()}
    column[0].set_title(f"{sample.name}: spots {shares['spot']} of the photo", fontsize=10)
axes[1, 0].text(-6, 48, "prediction", rotation=90, va="center", ha="right")
axes[2, 0].text(-6, 48, "wrong pixels", rotation=90, va="center", ha="right")
plt.tight_layout()
plt.show()

# %% [markdown]
# ## Now yours
#
# 1. Put photos and masks into `images/` and `masks/`, and the class names into `classes.txt`. Masks
#    in colours, polygons of LabelMe, CVAT, COCO or YOLO and other layouts are recognized too
#    (`docs/data.md`).
# 2. `fullconv check photos`
# 3. `fullconv train photos`
# 4. `fullconv predict runs/train/photos-001 new/ --out predictions`
