"""What the page offers as files: equal to `fullconv predict`, and data sets that train."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from fullconv.batch.writers.coco import merge_coco
from fullconv.batch.writers.geojson import geojson_lines
from fullconv.data.formats import open_data
from node import node

CLASSES = ("road", 'sky "<img onerror>"', "Straße 街")
PALETTE = ((128, 64, 128), (0, 0, 9), (255, 16, 1))


def label_maps():
    random = np.random.default_rng(0)
    yield "noise", random.choice([0, 1, 2, 255], (23, 31)).astype(np.uint8)
    yield "chequers", (np.indices((8, 9)).sum(0) % 2).astype(np.uint8)
    yield "one pixel", np.array([[2]], np.uint8)
    yield "nothing", np.full((3, 4), 255, np.uint8)
    rings = np.zeros((15, 15), np.uint8)
    for step in range(1, 7):
        rings[step:-step, step:-step] = step % 3
    rings[4, 4] = 255
    yield "rings", rings
    yield "blobs", np.kron(random.integers(0, 3, (12, 9)), np.ones((4, 5))).astype(np.uint8)


each_map = pytest.mark.parametrize(
    "labels", [pytest.param(labels, id=name) for name, labels in label_maps()]
)


@each_map
def test_geojson_is_that_of_predict_to_the_byte(labels):
    expected = b"".join(geojson_lines(labels, CLASSES, PALETTE))
    found = node(
        """const { geojson } = await load("regions");
        return geojson(given.labels, given.width, given.height, given.classes, given.palette);""",
        **described(labels),
    )
    assert found.encode() == expected


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
@each_map
def test_coco_annotations_restore_the_labels(labels):
    mask = pytest.importorskip("pycocotools.mask", reason="needs pycocotools (make setup)")
    text = node(
        """const { coco } = await load("regions");
        return coco(given.labels, given.width, given.height, given.classes, "a.jpg");""",
        **described(labels),
    )
    found = json.loads(text)
    restored = np.full_like(labels, 255)
    for annotation in found["annotations"]:
        rle = dict(annotation["segmentation"])
        rle["counts"] = rle["counts"].encode()
        inside = mask.decode(rle).astype(bool)
        restored[inside] = annotation["category_id"]
        assert annotation["area"] == inside.sum()
        assert annotation["bbox"] == mask.toBbox(rle).tolist()
    assert (restored == labels).all()
    assert json.loads(merge_coco([("a.jpg", text.encode())]))["images"][0]["file_name"] == "a.jpg"


def described(labels):
    height, width = labels.shape
    given = {"labels": labels, "width": width, "height": height}
    return given | {"classes": CLASSES, "palette": PALETTE}


def test_archives_are_read_by_other_programs_and_are_the_same_each_time():
    code = """const { zip } = await load("archive");
        return zip([{ name: "a.txt", data: given.a }, { name: "中/ä.bin", data: given.b }]);"""
    found = node(code, a=b"text", b=bytes(1000))
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.txt", "中/ä.bin"]
        assert archive.read("a.txt") == b"text" and archive.read("中/ä.bin") == bytes(1000)
    assert node(code, a=b"text", b=bytes(1000)) == found


NAMES = ["../../etc/passwd", "a/b.jpg", "A-B.png", "..", "", "übung 1.JPEG", "c:\\x.jpg", "街.webp"]


def test_names_in_a_data_set_hold_no_path_and_differ():
    found = node(
        'return (await load("downloads")).safeNames(given.names);',
        names=[*NAMES, "x" * 300 + ".jpg"],
    )
    assert len({name.lower() for name in found}) == len(found)
    assert len({name.rpartition(".")[0].lower() for name in found}) == len(found)
    for name in found:
        assert not set(name) & set('/\\:*?"<>| ') and not name.startswith(".") and len(name) < 100
    assert "übung-1.jpeg" in found and "街.webp" in found


def test_corrected_photos_are_a_data_set(tmp_path):
    random = np.random.default_rng(4)
    labels = [random.choice([0, 1, 2, 255], (9, 12)).astype(np.uint8) for _ in range(6)]
    photos = [png(random.integers(0, 256, (9, 12, 3), np.uint8)) for _ in labels]
    found = node(
        """const { safeNames } = await load("downloads");
        const { dataset } = await load("dataset");
        const { encodeIndexed } = await load("png");
        const samples = [];
        for (let i = 0; given["photo" + i]; i++) {
          const mask = await encodeIndexed(given["labels" + i], 12, 9, given.palette);
          samples.push({ name: `photo ${i}.png`, photo: given["photo" + i], mask });
        }
        const names = safeNames(samples.map((sample) => sample.name));
        samples.forEach((sample, i) => (sample.name = names[i]));
        return dataset(samples, given.classes, given.palette);""",
        classes=("road", "night sky", "Straße 街"),
        palette=PALETTE,
        **{f"labels{i}": one for i, one in enumerate(labels)},
        **{f"photo{i}": one for i, one in enumerate(photos)},
    )
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        archive.extractall(tmp_path)
    seen = 0
    for split in ("train", "val"):
        data = open_data(str(tmp_path), split)
        assert tuple(data.classes) == ("road", "night sky", "Straße 街")
        for sample in data.take(range(len(data))):
            number = int(sample.name[-1])
            assert (sample.labels == labels[number]).all()
            seen += 1
    assert seen == len(labels)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()
