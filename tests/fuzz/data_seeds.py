"""Seeds of data sets in every format, read by `fullconv check`."""

import json

import numpy as np
from PIL import Image
from scipy.io import savemat
from seed import Seed, mask, photo, place


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
