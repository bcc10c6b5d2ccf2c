"""Seeds of labelling tools' exports, of lists, and of folders that are no data set yet."""

import json

import numpy as np
from data_seeds import check, samples
from seed import Seed, mask, photo, place

from fullconv.data.labels.brush_rle import encode_brush


def other_tools(root, model):
    seeds = []
    for name, write in {
        "roboflow": roboflow,
        "roboflow-coco": roboflow_coco,
        "label_studio": label_studio,
        "via": via,
        "datumaro": datumaro,
        "darwin": darwin,
        "split_lists": split_lists,
        "split_json": split_json,
        "cvat_masks": cvat_masks,
    }.items():
        folder = place(root, f"data-{name}")
        targets = write(folder / "d")
        seeds.append(Seed(folder.name, folder, tuple(f"d/{name}" for name in targets), check("d")))
    return seeds


def roboflow(data):
    for split in ("train", "valid"):
        (data / split).mkdir(parents=True)
        for number in range(2):
            photo(number).save(data / split / f"p{number}_jpg.rf.01.jpg")
            mask(number).save(data / split / f"p{number}_jpg.rf.01_mask.png")
        table = "Pixel Value, Class\n0, background\n1, road\n2, car\n"
        (data / split / "_classes.csv").write_text(table)
    return "train/_classes.csv", "train/p0_jpg.rf.01_mask.png"


def roboflow_coco(data):
    for split in ("train", "valid"):
        (data / split).mkdir(parents=True)
        for number in range(2):
            photo(number).save(data / split / f"p{number}.jpg")
        images = [
            {"id": n, "file_name": f"p{n}.jpg", "height": 20, "width": 24, "license": 1}
            for n in range(2)
        ]
        categories = [
            {"id": 0, "name": "things", "supercategory": "none"},
            {"id": 1, "name": "car", "supercategory": "things"},
        ]
        shape = {"segmentation": [[2, 2, 9, 2, 9, 9]], "bbox": [2, 2, 7, 7], "iscrowd": 0}
        records = [{"id": n, "image_id": n, "category_id": 1, **shape} for n in range(2)]
        content = {"images": images, "annotations": records, "categories": categories}
        (data / split / "_annotations.coco.json").write_text(json.dumps(content))
    return "train/_annotations.coco.json", "valid/_annotations.coco.json"


def label_studio(data):
    photos(data)
    size = {"original_width": 24, "original_height": 20, "image_rotation": 0}
    names = {"from_name": "label", "to_name": "image"}
    rle = list(encode_brush(np.asarray(mask(0)) == 1))
    brush = {"format": "rle", "rle": rle, "brushlabels": ["car"]}
    outline = {"points": [[10, 10], [80, 20], [50, 90]], "polygonlabels": ["road"]}
    box = {"x": 5, "y": 5, "width": 40, "height": 30, "rotation": 0, "rectanglelabels": ["road"]}
    regions = [
        {"id": "r", "type": kind, "value": value, **size, **names}
        for kind, value in zip(
            ("brushlabels", "polygonlabels", "rectanglelabels"), (brush, outline, box), strict=True
        )
    ]
    tasks = [
        {
            "id": number,
            "data": {"image": f"/data/upload/1/0a1b2c3d-p{number}.jpg"},
            "annotations": [{"id": number, "completed_by": 1, "result": regions}],
        }
        for number in range(2)
    ]
    (data / "tasks.json").write_text(json.dumps(tasks, indent=1))
    return ("tasks.json",)


def via(data):
    photos(data)
    shape = {"name": "polygon", "all_points_x": [1, 5, 9], "all_points_y": [1, 9, 5]}
    regions = [{"shape_attributes": shape, "region_attributes": {"class": "road"}}]
    one = {"p0.jpg512": {"filename": "p0.jpg", "size": 512, "regions": regions}}
    (data / "project.json").write_text(json.dumps({"_via_settings": {}, "_via_img_metadata": one}))
    return ("project.json",)


def datumaro(data):
    photos(data)
    content = {"info": {}, "categories": {"label": {"labels": [{"name": "a"}]}}, "items": []}
    (data / "default.json").write_text(json.dumps(content))
    return ("default.json",)


def darwin(data):
    photos(data)
    content = {"version": "2.0", "item": {"name": "p0.jpg"}, "annotations": [{"name": "road"}]}
    (data / "p0.json").write_text(json.dumps(content))
    return ("p0.json",)


def split_lists(data):
    samples(data)
    (data / "classes.txt").write_text("sky\nroad\ncar\n")
    (data / "train_list.txt").write_text("images/p0.jpg masks/p0.png\nimages/p1.jpg masks/p1.png\n")
    (data / "val_list.txt").write_text("images/p2.jpg masks/p2.png\n")
    return "train_list.txt", "val_list.txt", "classes.txt"


def split_json(data):
    samples(data)
    (data / "classes.txt").write_text("sky\nroad\ncar\n")
    (data / "train.json").write_text(json.dumps(["p0", "p1"]))
    (data / "val.json").write_text(json.dumps(["p2"]))
    return "train.json", "val.json"


def cvat_masks(data):
    samples(data, "JPEGImages", "SegmentationClass")
    lists = data / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "default.txt").write_text("p0\np1\np2\n")
    (data / "labelmap.txt").write_text("sky:0,0,0::\nroad:1,1,1::\ncar:2,2,2::\n")
    return "labelmap.txt", "ImageSets/Segmentation/default.txt"


def photos(data):
    (data / "images").mkdir(parents=True)
    for number in range(2):
        photo(number).save(data / "images" / f"p{number}.jpg")
