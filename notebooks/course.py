# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The course in one notebook
#
# How does an image classifier become a network that classifies every pixel? This notebook goes
# through the nine chapters of the course (`docs/course/`) with numbers that you can change. All
# pictures are drawn by the code that the cells call. "The paper" is Long, Shelhamer and Darrell,
# *Fully Convolutional Networks for Semantic Segmentation* (CVPR 2015).

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import SVG

import fullconv as fc

_ = torch.manual_seed(0)
# %% [markdown]
# ## 1. From one class to one class per pixel
#
# A classifier returns one list of scores for the whole image. A fully convolutional network
# returns a map: a score for each class at each pixel, for an image of any size.

# %%
image = 255 * torch.rand(1, 3, 224, 224)
classifier = fc.create_classifier("vgg11", classes=7, width=1 / 16, hidden=32).eval()
network = fc.create_model("fcn8s-vgg11", classes=7, width=1 / 16, hidden=32).eval()
with torch.inference_mode():
    print("classifier:   ", tuple(classifier(image).shape))
    print("segmentation: ", tuple(network(image).shape))
    print("another size: ", tuple(network(image[..., :100, :150]).shape))

# %% [markdown]
# ## 2. A fully connected layer is a convolution
#
# The classifier's first fully connected layer sees a map of 7 x 7 positions, all at once. That is
# a convolution with a 7 x 7 kernel; the layers after it are 1 x 1 convolutions. With the same
# weights, the dense network gives the classifier's scores, and on a larger image a grid of them.

# %%
dense = fc.convolutionalize(classifier)
with torch.inference_mode():
    photo = torch.randn(1, 3, 224, 224)
    difference = (dense(photo)[0, :, 0, 0] - classifier(photo)[0]).abs().max().item()
    grid = dense(torch.randn(1, 3, 320, 416))
print(f"largest difference of the scores: {difference:.1e}")
print(f"on 320 x 416 pixels: {grid.shape[2]} x {grid.shape[3]} lists of scores, 32 pixels apart")

# %% [markdown]
# ## 3. Bilinear interpolation
#
# Scores 32 pixels apart have to be enlarged. Here are 2 x 2 numbers enlarged to 4 x 4 by the two
# rules that frameworks know: `align_corners=True` keeps the corners' centres where they are,
# `False` keeps the outer edges. Change the numbers and the size.

# %%
from fullconv.explain.bilinear import bilinear_kernel_matrix, bilinear_table, draw_tables
from fullconv.explain.matrices import as_matrix, parse_matrix

numbers = parse_matrix("1 2; 3 4", "numbers")
tables = [bilinear_table(numbers, (4, 4), align_corners=corners) for corners in (True, False)]
SVG(draw_tables(tables, bilinear_kernel_matrix(2), 2))

# %% [markdown]
# Where does 5/3 come from? With `align_corners=True`, 4 rows span the distance of 2, so a step is
# 1/3 of a row: the second row lies 1/3 of the way from 1 to 3, and 1 + 2/3 = 5/3.

# %%
print("step:", tables[0].rows.step)
print("first column:", [str(row[0]) for row in tables[0].values])
x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
print(torch.nn.functional.interpolate(x, (4, 4), mode="bilinear", align_corners=True)[0, 0])

# %% [markdown]
# ## 4. Transposed convolution, three times the same
#
# A convolution can enlarge, too. Insert zeros and convolve with the turned kernel; or let each
# pixel add its multiple of the kernel; or multiply by the transposed matrix of a convolution. The
# numbers are equal.

# %%
from fullconv.explain.transposed import draw_views, transposed_views

views = transposed_views(numbers, parse_matrix("1 2 3; 4 5 6; 7 8 9", "kernel"), 2)
print("all three agree:", views.agree)
SVG(draw_views(views))

# %% [markdown]
# The middle row has the sums of two or four summands: the kernel of 3 overlaps unevenly at stride
# 2. With a map of ones and a kernel of ones, that is a **checkerboard**. A kernel whose size is a
# multiple of the stride has none inside.

# %%
ones = as_matrix([[1] * 4] * 4)
_, axes = plt.subplots(1, 3, figsize=(11, 3.4))
for axis, side in zip(axes, (3, 4, 5), strict=True):
    overlaps = transposed_views(ones, as_matrix([[1] * side] * side), 2).overlaps
    axis.imshow(np.array(overlaps, float), cmap="viridis")
    axis.set_title(f"kernel {side}, stride 2: summands")
    axis.axis("off")
plt.show()

# %% [markdown]
# ## 5. Un-pooling
#
# Max pooling forgets where the maximum was. If it keeps the *index*, un-pooling puts each maximum
# back where it came from; everything else is 0. SegNet and DeconvNet upsample this way.

# %%
from fullconv.explain.unpooling import draw_unpooling, unpooling_table

table = unpooling_table(parse_matrix("1 2 6 3; 3 5 2 1; 1 2 2 1; 7 3 4 8", "input"), 2)
SVG(draw_unpooling(table))

# %% [markdown]
# ## 6. Skips: FCN-32s, 16s, 8s
#
# Deep layers know *what* is in the image, but only every 32 pixels; earlier layers know *where*.
# The FCN adds scores of both. To see it, we train the default network, which has skips down to a
# fine stride, for a few steps on drawn street scenes.

# %%
data = fc.open_data("scenes:40@96x128", split="train")
config = fc.TrainConfig(steps=60, crop=(96, 96), batch=4)
for step in fc.train("auto", data, config):
    if step.number in (1, 20, 40, 60):
        print(f"step {step.number}: loss {step.loss:.2f}")
model = step.model

# %%
from fullconv.explain.skips import skip_contributions

scene = fc.open_data("scenes:40@96x128", split="test")[1]
tensor = torch.from_numpy(scene.image.copy()).permute(2, 0, 1)[None].float()
parts = skip_contributions(model.network.eval(), tensor)
total = torch.zeros_like(parts[0].score)
pictures = [scene.image, fc.palettes.colorize(scene.labels, model.palette)]
names = ["scene", "ground truth"]
for part in parts:
    total = total + part.score
    labels = total.argmax(0).numpy()
    right = np.mean(labels == scene.labels)
    pictures.append(fc.palettes.colorize(labels, model.palette))
    names.append(f"{'' if part is parts[0] else '+ '}{part.name}: {right:.0%} right")
_, axes = plt.subplots(1, len(pictures), figsize=(13, 3))
for axis, picture, name in zip(axes, pictures, names, strict=True):
    axis.imshow(picture, interpolation="nearest")
    axis.set_title(name, fontsize=10)
    axis.axis("off")
plt.tight_layout()
plt.show()

# %% [markdown]
# The network was trained with all its scores, so the first picture is not what a network trained
# as FCN-32s would predict. But it shows the division of labour: the coarse scores know the large
# areas and roughly where they meet, and the finer skips add smaller things and sharper edges. The
# finest changes few pixels; after so few steps it has hardly begun to learn.
#
# ## 7. Padding 100, and the crops 5, 9, 31
#
# The paper's networks put 100 zeros around the image, which shifts the maps against each other.
# Before two are added, one is cropped: where do the same centres lie? The numbers 5, 9 and 31 are
# derived from the layers.

# %%
from fullconv.config import new_architecture
from fullconv.explain.crops import crop_rulers, draw_rulers
from fullconv.explain.narrow import narrow_network

for name in ("fcn32s-vgg16", "fcn16s-vgg16", "fcn8s-vgg16"):
    rulers = crop_rulers(narrow_network(new_architecture(name, 21, padding=100)))
    paper = fc.create_model(name, classes=21, padding=100, width=1 / 16, hidden=8)
    print(name, paper.offsets())
SVG(draw_rulers(rulers, "FCN-8s on VGG-16 with padding 100"))

# %% [markdown]
# ## 8. What is lost
#
# Even a perfect network is limited by its stride. Reduce the ground truth to the stride's grid,
# enlarge it again, and measure: that is the best mean IoU that this stride can reach (the paper
# does the same in its appendix A).

# %%
from fullconv.evaluation.upper_bounds import coarsened, upper_bounds

scenes = fc.open_data("scenes:12@120x160")
bounds = upper_bounds((sample.labels for sample in scenes), scenes.classes).bounds
pole = scenes.classes.index("pole")
for stride, confusion in sorted(bounds.items()):
    mean, thin = confusion.mean_iou, confusion.iou[pole]
    print(f"stride {stride:2}: mean IoU up to {mean:.0%}, pole up to {thin:.0%}")

# %%
sample = scenes[1]
reduced = coarsened(sample.labels)
_, axes = plt.subplots(1, 4, figsize=(13, 3))
for axis, stride in zip(axes, (1, 8, 16, 32), strict=True):
    labels = sample.labels if stride == 1 else reduced[stride]
    axis.imshow(fc.palettes.colorize(labels, scenes.palette), interpolation="nearest")
    axis.set_title("ground truth" if stride == 1 else f"a perfect network of stride {stride}")
    axis.axis("off")
plt.tight_layout()
plt.show()

# %% [markdown]
# ## 9. VGG, and what a pixel sees
#
# Each layer widens what one pixel depends on, its *receptive field*, by (k - 1) times the stride
# so far. At fc7 of VGG-16 it is 404 pixels: the number in table 1 of the paper.

# %%
vgg = fc.create_model("fcn32s-vgg16", classes=21, width=1 / 16, hidden=8)
info = vgg.feature_info()
for name in ("pool1", "pool2", "pool3", "pool4", "pool5", "fc7"):
    print(f"{name}: stride {info[name].field.stride}, sees {info[name].field.size} pixels")

# %% [markdown]
# That is the whole way: a classifier, made dense (2), enlarged (3, 4), refined by skips (6) that
# are aligned exactly (7). The chapters in `docs/course/` have the formulas, exercises and
# solutions.
