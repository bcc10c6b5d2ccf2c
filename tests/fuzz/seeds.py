"""Seeds: valid inputs of every parser, with the command that reads them.

A seed is a folder of files, the files of it that are changed, and what is run in it.
"""

import json
import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.io import savemat

from caffe_writer import layer, net
from fullconv.cli import run
from photos import write_model

TEXT = {".txt", ".csv", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".names"}


@dataclass(frozen=True)
class Seed:
    """An input of one parser.

    Attributes:
        parser: its name in the counts.
        folder: its files; a run gets a copy.
        targets: relative paths of the files to change.
        command: arguments of `fullconv`, or ("predict-api", FILE) for Model.predict.
    """

    parser: str
    folder: Path
    targets: tuple[str, ...]
    command: tuple[str, ...]

    @property
    def name(self):
        return self.folder.name


def store(path, seeds):
    """Write a list of seeds, for the workers."""
    path.write_text(json.dumps([[s.parser, str(s.folder), s.targets, s.command] for s in seeds]))


def restore(path):
    """Read a list of seeds."""
    return [
        Seed(parser, Path(folder), tuple(targets), tuple(command))
        for parser, folder, targets, command in json.loads(path.read_text())
    ]


def build(root):
    """Write all seeds below `root` and return them."""
    seeds = []
    tiny = root / "_shared"
    tiny.mkdir(parents=True)
    model = write_model(tiny / "m.safetensors")
    for function in (weights, models, images, lists, formats, configs, jobs, runs, rasters, videos):
        seeds += function(root, model)
    return seeds


def place(root, name):
    folder = root / name
    folder.mkdir(parents=True)
    return folder


def photo(seed=0, height=20, width=24):
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)


def mask(seed=0, height=20, width=24, classes=3):
    coarse = np.random.default_rng(seed + 9).integers(0, classes, (height // 4, width // 4))
    return Image.fromarray(np.kron(coarse, np.ones((4, 4), int)).astype(np.uint8))


def weights(root, model):
    array = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    tensors = {"conv1_1.weight": torch.from_numpy(array), "conv1_1.bias": torch.ones(4)}
    course = {
        "layer1.0.conv.weight": array,
        "layer1.0.bn._variance": np.ones(4, np.float32),
        "classifier.0.weight": np.ones((8, 4), np.float32),
        "StructuredToParameterName@@": {"a": "b"},
    }
    files = {
        "caffe": net(layer("conv1_1", "Convolution", [array, array[:, 0, 0, 0]])),
        "caffe-old": net(layer("conv1_1", "Convolution", [array], old=True)),
        "paddle-2": pickle.dumps(course, protocol=2),
        "paddle-4": pickle.dumps(course, protocol=4),
    }
    seeds = []
    for name, content in files.items():
        folder = place(root, f"weights-{name}")
        (folder / "net.bin").write_bytes(content)
        seeds.append(folder)
    checkpoint = {"state_dict": tensors, "epoch": 3, "state_dict_ema": {"module.a": torch.ones(2)}}
    for name, zipped in (("torch", True), ("torch-old", False)):
        folder = place(root, f"weights-{name}")
        torch.save(checkpoint, folder / "net.bin", _use_new_zipfile_serialization=zipped)
        seeds.append(folder)
    folder = place(root, "weights-safetensors")
    save_file(tensors, folder / "net.bin", {"mean": "[1.0, 2.0, 3.0] of 255"})
    seeds.append(folder)
    return [
        Seed(folder.name, folder, ("net.bin",), ("convert", "net.bin", "out/o.safetensors"))
        for folder in seeds
    ] + onnx_weights(root, model)


def onnx_weights(root, model):
    folder = place(root, "model-onnx")
    run(("export", str(model), str(folder / "m.onnx"), "--quiet"))
    photo().save(folder / "p.png")
    predict = ("predict", "m.onnx", "p.png", "--out", "out", "--quiet")
    other = place(root, "weights-onnx")
    shutil.copy(folder / "m.onnx", other / "net.bin")
    return [
        Seed("model-onnx", folder, ("m.onnx",), predict),
        Seed("weights-onnx", other, ("net.bin",), ("convert", "net.bin", "out/o.safetensors")),
    ]


def models(root, model):
    seeds = []
    for name, command in {
        "inspect": ("inspect", "m.safetensors", "--size", "20x24"),
        "predict": ("predict", "m.safetensors", "p.png", "--out", "out", "--quiet"),
    }.items():
        folder = place(root, f"model-{name}")
        shutil.copy(model, folder / "m.safetensors")
        photo().save(folder / "p.png")
        seeds.append(Seed("model-safetensors", folder, ("m.safetensors",), command))
    return seeds


IMAGES = {
    "png": {}, "jpg": {}, "bmp": {}, "tif": {"compression": "tiff_lzw"}, "webp": {}, "gif": {},
}  # fmt: skip


def images(root, model):
    seeds = []
    for suffix, options in IMAGES.items():
        folder = place(root, f"image-{suffix}")
        photo().save(folder / f"p.{suffix}", **options)
        command = ("predict-api", f"p.{suffix}")
        seeds.append(Seed(f"image-{suffix}", folder, (f"p.{suffix}",), command))
    folder = place(root, "image-palette")
    photo().quantize(16).save(folder / "p.png")
    seeds.append(Seed("image-png", folder, ("p.png",), ("predict-api", "p.png")))
    return seeds


def lists(root, model):
    folder = place(root, "list")
    for number in range(2):
        photo(number).save(folder / f"p{number}.png")
    shutil.copy(model, folder / "m.safetensors")
    (folder / "l.txt").write_text("# photos\np0.png\np1.png\n")
    lines = [{"id": f"a/{n}", "path": f"p{n}.png"} for n in range(2)]
    (folder / "l.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run_on = ("predict", "m.safetensors")
    end = ("--out", "out", "--quiet")
    return [
        Seed("list", folder, ("l.txt",), (*run_on, "@l.txt", *end)),
        Seed("manifest", folder, ("l.jsonl",), (*run_on, "l.jsonl", *end)),
    ]


def check(folder, kind=""):
    return ("check", f"{kind}{folder}", "--out", "out", "--json", "out/c.json")


def samples(folder, images="images", masks="masks", count=3, suffix=".jpg"):
    for name in (images, masks):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        photo(number).save(folder / images / f"p{number}{suffix}")
        mask(number).save(folder / masks / f"p{number}.png")


def formats(root, model):
    seeds = []

    def add(name, targets, kind=""):
        folder = root / f"data-{name}"
        seeds.append(Seed(f"data-{name}", folder, tuple(targets), check("d", kind)))

    data = place(root, "data-folders") / "d"
    samples(data)
    (data / "classes.txt").write_text("sky\nroad\ncar\n")
    (data / "splits").mkdir()
    (data / "splits" / "train.txt").write_text("p0\np1\n")
    (data / "splits" / "val.txt").write_text("p2\n")
    add("folders", ["d/classes.txt", "d/splits/train.txt", "d/masks/p0.png", "d/images/p0.jpg"])

    data = place(root, "data-csv") / "d"
    samples(data)
    (data / "classes.csv").write_text("name,r,g,b\nsky,0,0,0\nroad,1,1,1\ncar,2,2,2\n")
    add("csv", ["d/classes.csv"])

    data = place(root, "data-yaml") / "d"
    samples(data)
    (data / "dataset.yaml").write_text(
        "path: .\ntrain: images\nval: images\nmasks_dir: masks\n"
        "names:\n  0: sky\n  1: road\n  2: car\n"
    )
    add("yaml", ["d/dataset.yaml"])

    data = place(root, "data-voc") / "d"
    samples(data, "JPEGImages", "SegmentationClass")
    lists = data / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("p0\np1\n")
    (lists / "val.txt").write_text("p2\n")
    (data / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nsky:0,0,0::\nroad:1,1,1::\ncar:2,2,2::\n"
    )
    add("voc", ["d/labelmap.txt", "d/ImageSets/Segmentation/train.txt"], "voc:")

    data = place(root, "data-coco") / "d"
    (data / "images" / "train").mkdir(parents=True)
    (data / "annotations").mkdir()
    for number in range(2):
        photo(number).save(data / "images" / "train" / f"p{number}.jpg")
    content = {
        "info": {"year": 2024},
        "images": [
            {"id": n, "file_name": f"p{n}.jpg", "height": 20, "width": 24} for n in range(2)
        ],
        "categories": [{"id": 1, "name": "road"}, {"id": 7, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "iscrowd": 0, "area": 50,
             "bbox": [1, 1, 9, 9], "segmentation": [[1, 1, 10.5, 1, 10.5, 9, 1, 9]]},
            {"id": 2, "image_id": 1, "category_id": 7, "iscrowd": 1,
             "segmentation": {"size": [20, 24], "counts": [100, 50, 330]}},
            {"id": 3, "image_id": 1, "category_id": 1, "iscrowd": 0,
             "segmentation": {"size": [20, 24], "counts": "T3R11O;"}},
        ],
    }  # fmt: skip
    (data / "annotations" / "instances_train.json").write_text(json.dumps(content))
    add("coco", ["d/annotations/instances_train.json"], "coco:")

    data = place(root, "data-labelme") / "d"
    data.mkdir()
    for number in range(2):
        photo(number).save(data / f"p{number}.jpg")
        triangle = {"label": "road", "points": [[1, 1], [9.5, 1], [9, 9]], "group_id": None}
        box = {"label": "car", "points": [[2, 2], [6, 6]], "flags": {}}
        content = {
            "version": "5.0",
            "imagePath": f"p{number}.jpg",
            "imageHeight": 20,
            "imageWidth": 24,
            "imageData": None,
            "shapes": [
                {**triangle, "shape_type": "polygon"},
                {**box, "shape_type": "rectangle"},
            ],
        }
        (data / f"p{number}.json").write_text(json.dumps(content, indent=1))
    add("labelme", ["d/p0.json"], "labelme:")

    data = place(root, "data-yolo") / "d"
    for folder in ("images/train", "labels/train", "images/val", "labels/val"):
        (data / folder).mkdir(parents=True)
    for number, split in enumerate(("train", "train", "val")):
        photo(number).save(data / "images" / split / f"p{number}.jpg")
        (data / "labels" / split / f"p{number}.txt").write_text(
            "0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.6 0.6 0.9 0.6 0.9 0.9 0.6 0.9\n"
        )
    (data / "data.yaml").write_text(
        "path: .\ntrain: images/train\nval: images/val\nnames: [road, car]\n"
    )
    add("yolo", ["d/data.yaml", "d/labels/train/p0.txt"], "yolo:")

    data = place(root, "data-cvat") / "d"
    (data / "images").mkdir(parents=True)
    photo().save(data / "images" / "p0.jpg")
    (data / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        "<annotations><version>1.1</version><meta><task><labels>"
        "<label><name>road</name><color>#ff0000</color></label>"
        "<label><name>car</name><color>#00ff00</color></label>"
        '</labels></task></meta><image id="0" name="p0.jpg" width="24" height="20">'
        '<polygon label="road" points="1.0,1.0;9.0,1.0;9.0,9.0" z_order="0"></polygon>'
        '<box label="car" xtl="2" ytl="3" xbr="8" ybr="9" z_order="1"></box>'
        '<mask label="car" rle="3, 2, 4" left="1" top="1" width="3" height="3" z_order="2"></mask>'
        "</image></annotations>\n"
    )
    add("cvat", ["d/annotations.xml"], "cvat:")

    data = place(root, "data-camvid") / "d"
    samples(data, "701_StillsRaw_full", "LabeledApproved_full")
    (data / "label_colors.txt").write_text("0 0 0\tsky\n1 1 1\troad\n2 2 2\tcar\n")
    add("camvid", ["d/label_colors.txt"], "camvid:")

    data = place(root, "data-siftflow") / "d"
    for number in range(2):
        for folder in ("Images/a", "SemanticLabels/a"):
            (data / folder).mkdir(parents=True, exist_ok=True)
        photo(number).save(data / "Images" / "a" / f"p{number}.jpg")
        labels = {"S": np.asarray(mask(number)), "names": ["x"]}
        savemat(data / "SemanticLabels" / "a" / f"p{number}.mat", labels)
    add("siftflow", ["d/SemanticLabels/a/p0.mat"], "siftflow:")

    data = place(root, "data-panoptic") / "d"
    (data / "panoptic_train").mkdir(parents=True)
    (data / "annotations").mkdir()
    photo(0).save(data / "p0.jpg")
    (data / "train").mkdir()
    photo(0).save(data / "train" / "p0.jpg")
    ids = np.zeros((20, 24, 3), np.uint8)
    ids[5:, :, 0] = 7
    ids[:5, :, 1] = 1
    Image.fromarray(ids).save(data / "panoptic_train" / "p0.png")
    segments = [{"id": 7, "category_id": 1, "iscrowd": 0}, {"id": 256, "category_id": 2}]
    content = {
        "images": [{"id": 1, "file_name": "p0.jpg", "height": 20, "width": 24}],
        "categories": [{"id": 1, "name": "road", "isthing": 0}, {"id": 2, "name": "car"}],
        "annotations": [{"image_id": 1, "file_name": "p0.png", "segments_info": segments}],
    }
    (data / "annotations" / "panoptic_train.json").write_text(json.dumps(content))
    targets = ["d/annotations/panoptic_train.json", "d/panoptic_train/p0.png"]
    add("panoptic", targets, "coco:")

    data = place(root, "data-masks") / "d"
    samples(data)
    (data / "classes.txt").write_text("sky 0 0 0\nroad 128 64 128\ncar #0000ff\n")
    colors = np.array([[0, 0, 0], [128, 64, 128], [0, 0, 255]], np.uint8)
    for number in range(3):
        Image.fromarray(colors[np.asarray(mask(number))]).save(data / "masks" / f"p{number}.png")
    add("masks", ["d/masks/p1.png", "d/classes.txt"])
    return seeds


CONFIG = """# settings
model: fcn8s-vgg11
width: 0.0625
hidden: 8
crop: [48, 64]
scale: [0.75, 1.5]
steps: 2
lr: 0.001
optimizer: sgd
stages:
  - {stride: 32, lr: 0.01, epochs: 1}
flip: true
device: cpu
"""


def configs(root, model):
    folder = place(root, "config")
    (folder / "c.yaml").write_text(CONFIG)
    # The settings are read before the data set, which does not exist: nothing is trained.
    command = ("train", "nowhere", "--config", "c.yaml", "--out", "out")
    return [Seed("config", folder, ("c.yaml",), command)]


def jobs(root, model):
    folder = place(root, "job")
    (folder / "photos").mkdir()
    for number in range(2):
        photo(number).save(folder / "photos" / f"p{number}.png")
    (folder / "photos" / "bad.png").write_bytes(b"no image")
    shutil.copy(model, folder / "m.safetensors")
    before = Path.cwd()
    os.chdir(folder)
    command = (
        "predict",
        "m.safetensors",
        "photos",
        "--out",
        "out",
        "--save",
        "labels,coco",
        "--quiet",
    )
    try:
        run(command)
        manifest = (folder / "out" / "manifest.jsonl").read_bytes().splitlines(keepends=True)
        (folder / "out" / "journal.jsonl").write_bytes(manifest[0])
        (folder / "out" / "manifest.jsonl").write_bytes(manifest[1])
    finally:
        os.chdir(before)
    names = sorted(str(p.relative_to(folder)) for p in (folder / "out").glob("*.json*"))
    merge = ("merge", "out", "--out", "out/all")
    return [
        Seed("job", folder, tuple(names), command),
        Seed("job-fresh", folder, tuple(names), (*command, "--fresh")),
        Seed("merge", folder, tuple(names), merge),
    ]


def runs(root, model):
    folder = place(root, "run")
    before = Path.cwd()
    os.chdir(folder)
    try:
        size = ("--width", "0.0625", "--hidden", "8", "--crop", "32x32", "--epochs", "2")
        train = ("train", "scenes:4@32x32", "--model", "fcn32s-vgg11", *size)
        run((*train, "--set", "preflight=false", "--out", "out", "--quiet"))
    finally:
        os.chdir(before)
    # As a run that a signal stopped before its end.
    made = folder / "out" / "train" / "scenes-001"
    (made / "summary.json").unlink()
    names = (
        "config.yaml",
        "results.csv",
        "events.jsonl",
        "per_class_history.csv",
        "last.safetensors",
    )
    targets = tuple(f"out/train/scenes-001/{name}" for name in names if (made / name).is_file())
    resume = ("train", "--resume", "out/train/scenes-001", "--out", "out", "--quiet")
    return [Seed("run", folder, targets, resume)]


def rasters(root, model):
    try:
        import rasterio
        from rasterio.transform import from_origin
    except ImportError:
        return []
    folder = place(root, "raster")
    shutil.copy(model, folder / "m.safetensors")
    values = np.asarray(photo(1, 32, 40)).transpose(2, 0, 1)
    profile = {
        "driver": "GTiff", "height": 32, "width": 40, "count": 3, "dtype": "uint8", "tiled": True,
        "blockxsize": 16, "blockysize": 16, "compress": "deflate", "crs": "EPSG:32632",
        "transform": from_origin(500000, 5000000, 1, 1), "nodata": 0,
    }  # fmt: skip
    with rasterio.open(folder / "r.tif", "w", **profile) as file:
        file.write(values)
    command = ("predict", "m.safetensors", "r.tif", "--out", "out", "--quiet")
    return [Seed("raster", folder, ("r.tif",), command)]


def videos(root, model):
    try:
        from videos import quarters, write_video
    except BaseException:  # pytest's skip
        return []
    folder = place(root, "video")
    shutil.copy(model, folder / "m.safetensors")
    write_video(folder / "v.mp4", [quarters(32, 32)] * 2)
    command = ("predict", "m.safetensors", "v.mp4", "--out", "out", "--quiet")
    return [Seed("video", folder, ("v.mp4",), command)]
