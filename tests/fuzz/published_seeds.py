"""Seeds of published data sets: masks in PNG and MATLAB files, lists and tables as released."""

import json

import numpy as np
from data_seeds import check
from PIL import Image
from scipy.io import savemat
from seed import Seed, mask, photo, place


def published(root, model):
    seeds = []
    for name, write in {
        "ade20k": ade20k,
        "ade20k-full": ade20k_full,
        "cityscapes": cityscapes,
        "sbd": sbd,
        "nyud": nyud,
        "pascal_context": pascal_context,
    }.items():
        folder = place(root, f"data-{name}")
        kind, targets = write(folder / "d")
        command = check(f"d{'/context' if name == 'pascal_context' else ''}", f"{kind}:")
        seeds.append(Seed(folder.name, folder, tuple(f"d/{name}" for name in targets), command))
    return seeds


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def ade20k(data):
    for part, short in (("training", "train"), ("validation", "val")):
        for number in range(2):
            stem = f"ADE_{short}_{number:08}"
            save(photo(number), data / "images" / part / f"{stem}.jpg")
            save(mask(number), data / "annotations" / part / f"{stem}.png")
    (data / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\n1\t0.1576\t11664\twall\n")
    stem = "training/ADE_train_00000000"
    return "ade20k", (f"annotations/{stem}.png", f"images/{stem}.jpg", "objectInfo150.txt")


def ade20k_full(data):
    names = {2978: "wall", 401: "car, auto", 2836: "traffic light"}
    for part, short in (("training", "train"), ("validation", "val")):
        street = data / "images" / "ADE" / part / "urban" / "street"
        stem = f"ADE_{short}_00000001"
        numbers = np.array([0, *names])[np.asarray(mask(1, classes=4))]
        pixels = np.stack((numbers // 256 * 10, numbers % 256, numbers * 0), 2)
        save(Image.fromarray(pixels.astype(np.uint8)), street / f"{stem}_seg.png")
        save(photo(), street / f"{stem}.jpg")
        records = [{"id": 0, "name": name, "name_ndx": number} for number, name in names.items()]
        (street / f"{stem}.json").write_text(json.dumps({"annotation": {"object": records}}))
    (data / "classes.txt").write_text("wall #112233\ncar #445566\n")
    stem = "images/ADE/training/urban/street/ADE_train_00000001"
    return "ade20k", (f"{stem}.json", f"{stem}_seg.png", "classes.txt")


def cityscapes(data):
    for split, city in (("train", "ulm"), ("train", "bonn"), ("val", "lindau")):
        stem = f"{city}_000000_000019"
        save(photo(), data / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
        labels = mask(classes=34)
        save(labels, data / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png")
    stem = "train/ulm/ulm_000000_000019"
    targets = (f"gtFine/{stem}_gtFine_labelIds.png", f"leftImg8bit/{stem}_leftImg8bit.png")
    return "cityscapes", targets


def sbd(data):
    for number in range(3):
        save(photo(number), data / "img" / f"2008_{number}.jpg")
        (data / "cls").mkdir(exist_ok=True)
        labels = {"Segmentation": np.asarray(mask(number)), "Boundaries": np.zeros((1, 1))}
        compressed = number == 0
        savemat(data / "cls" / f"2008_{number}.mat", {"GTcls": labels}, do_compression=compressed)
    (data / "train.txt").write_text("2008_0\n2008_1\n")
    (data / "val.txt").write_text("2008_2\n")
    return "sbd", ("cls/2008_0.mat", "cls/2008_1.mat", "train.txt", "val.txt")


def nyud(data):
    (data / "segmentation").mkdir(parents=True)
    for number in (5001, 5002):
        save(photo(number), data / "data" / "images" / f"img_{number}.png")
        labels = {"segmentation": np.asarray(mask(number))}
        savemat(data / "segmentation" / f"img_{number}.mat", labels)
    (data / "train.txt").write_text("5001\n")
    return "nyud", ("segmentation/img_5001.mat", "data/images/img_5001.png", "train.txt")


def pascal_context(data):
    for file, names in (
        ("labels", "aeroplane bedclothes table sky"),
        ("59_labels", "bedcloth sky"),
    ):
        lines = (f"{number}: {name}\n" for number, name in enumerate(names.split(), 1))
        (data / "context" / "trainval").mkdir(parents=True, exist_ok=True)
        (data / "context" / f"{file}.txt").write_text("".join(lines))
    main = data / "VOC2010" / "ImageSets" / "Main"
    main.mkdir(parents=True)
    for split, stems in (("train", "ab"), ("val", "cd")):
        (main / f"{split}.txt").write_text("".join(f"2008_{stem}\n" for stem in stems))
    for stem in "abc":
        save(photo(), data / "VOC2010" / "JPEGImages" / f"2008_{stem}.jpg")
        labels = np.asarray(mask(classes=5)).astype(np.uint16)
        savemat(data / "context" / "trainval" / f"2008_{stem}.mat", {"LabelMap": labels})
    own = ("labels.txt", "59_labels.txt", "trainval/2008_a.mat")
    targets = (f"context/{name}" for name in own)
    return "pascal_context", (*targets, "VOC2010/ImageSets/Main/train.txt")
