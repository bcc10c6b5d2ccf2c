"""Seeds: valid inputs of every parser, with the command that reads them.

A seed is a folder of files, the files of it that are changed, and what is run in it.
"""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import torch
from data_seeds import formats, samples
from other_seeds import other_tools
from published_seeds import published
from safetensors.torch import save_file
from seed import Seed, mask, photo, place

from caffe_writer import layer, net
from fullconv.cli import run
from photos import write_model


def build(root):
    """Write all seeds below `root` and return them."""
    seeds = []
    tiny = root / "_shared"
    tiny.mkdir(parents=True)
    model = write_model(tiny / "m.safetensors")
    for function in (
        *(weights, exported, models, images, lists, formats, published, other_tools),
        *(predictions, configs, jobs, runs, rasters, videos),
    ):
        seeds += function(root, model)
    return seeds


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
    ]


EXPORTED = {"onnx": ("m.onnx",), "pt2": ("m.pt2",), "openvino": ("m.xml", "m.bin")}


def exported(root, model):
    seeds = []
    for name, targets in EXPORTED.items():
        folder = place(root, f"model-{name}")
        if run(("export", str(model), str(folder / targets[0]), "--quiet")):
            continue  # an optional package that is not installed
        photo().save(folder / "p.png")
        predict = ("predict", targets[0], "p.png", "--out", "out", "--quiet")
        seeds.append(Seed(folder.name, folder, targets, predict))
    folder = place(root, "weights-onnx")
    shutil.copy(root / "model-onnx" / "m.onnx", folder / "net.bin")
    convert = ("convert", "net.bin", "out/o.safetensors")
    return [*seeds, Seed("weights-onnx", folder, ("net.bin",), convert)]


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
    folder = place(root, "image-mpo")
    photo().save(folder / "p.jpg", "MPO", save_all=True, append_images=[photo(1, 8, 8)])
    seeds.append(Seed("image-mpo", folder, ("p.jpg",), ("predict-api", "p.jpg")))
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


def predictions(root, model):
    folder = place(root, "predictions")
    samples(folder / "d")
    (folder / "d" / "classes.txt").write_text("sky\nroad\ncar\n")
    (folder / "p").mkdir()
    for number in range(3):
        mask(number).save(folder / "p" / f"p{number}.png")
    command = ("evaluate", "d", "--predictions", "p", "--out", "out")
    return [Seed("predictions", folder, ("p/p0.png", "d/classes.txt"), command)]


CONFIG = """# settings
model: fcn8s-vgg11
width: 0.0625
hidden: 8
crop: [48, 64]
zoom: [0.75, 1.5]
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
