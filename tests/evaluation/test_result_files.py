"""The files of an evaluation say the same as its metrics."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import fullconv as fc
from fullconv.evaluation.image_counts import ImageCounts
from fullconv.evaluation.result_files import group_rows, write_results


@pytest.fixture(scope="module")
def data():
    return fc.open_data("scenes:12@24x32")


@pytest.fixture(scope="module")
def evaluation(data):
    torch.manual_seed(0)
    network = fc.create_model("fcn8s-vgg11_bn", len(data.classes), width=1 / 16, hidden=8)
    for layer in network.score_layers():
        torch.nn.init.normal_(layer.weight)
    model = fc.Model(network, data.classes, data.palette)
    return fc.evaluate(model, data, groups=r"\d$")


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    assert all(path.is_file() for path in write_results(folder, evaluation))
    return folder


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_metrics_are_those_of_the_evaluation(folder, evaluation, data):
    found = json.loads((folder / "metrics.json").read_text())
    assert found == json.loads(json.dumps(evaluation.to_dict()))
    assert found["mean_iou"] == evaluation.mean_iou and found["images"] == len(data)
    assert (found["split"], found["data"]) == ("all", data.source)
    assert found["mean_iou_interval"][0] < found["mean_iou"] < found["mean_iou_interval"][1]


def test_every_image_has_a_row_whose_counts_sum_to_the_confusion_matrix(folder, evaluation):
    rows = table(folder / "per_image.csv")
    assert [row["name"] for row in rows] == list(evaluation.image_iou)
    matrix = evaluation.confusion.counts
    for label, name in enumerate(evaluation.classes):
        sums = [sum(int(row[f"{name} {kind}"]) for row in rows) for kind in ("tp", "fp", "fn")]
        correct = matrix[label, label]
        assert sums == [correct, matrix[:, label].sum() - correct, matrix[label].sum() - correct]
    values = [float(row["mean_iou"]) for row in rows]
    assert values == pytest.approx(list(evaluation.image_iou.values()), rel=1e-5)
    assert all(0 <= float(row["confidence"]) <= 1 and float(row["nll"]) > 0 for row in rows)
    assert all(int(row["wrong_pixels"]) <= int(row["pixels"]) for row in rows)


def test_groups_sum_to_all(folder, evaluation):
    every, *groups = table(folder / "groups.csv")
    assert every["group"] == "all" and float(every["mean_iou"]) == pytest.approx(
        evaluation.mean_iou, rel=1e-5
    )
    for column in ("images", "pixels"):
        assert int(every[column]) == sum(int(row[column]) for row in groups)
    assert {row["group"] for row in groups} == {name[-1] for name in evaluation.image_iou}


def test_images_without_labels_make_no_interval_of_a_group(evaluation):
    values = evaluation.counts.values.copy()
    values[1:] = 0
    counts = ImageCounts(evaluation.counts.names, values)
    images = replace(evaluation.images, counts=counts)
    one = replace(evaluation, images=images, groups=("all",) * len(values))
    header, whole, group = group_rows(one)
    low = header.index("interval_low")
    assert whole[low : low + 2] == group[low : low + 2] == ["", ""]
    assert group[header.index("images")] == len(values)


def test_confusions_are_counted_and_normalized(folder, evaluation):
    rows = table(folder / "confusion.csv")
    count = len(evaluation.classes)
    pixels = np.reshape([int(row["pixels"]) for row in rows], (count, count))
    assert (pixels == evaluation.confusion.counts[:, :count]).all()
    row = next(row for row in rows if row["share_of_prediction"] and int(row["pixels"]))
    label = evaluation.classes.index(row["ground_truth"])
    expected = int(row["pixels"]) / evaluation.pixels[label]
    assert float(row["share_of_ground_truth"]) == pytest.approx(expected, rel=1e-5)
    assert (folder / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_the_digest_is_of_names_and_labels_whatever_predicts(data, evaluation):
    def digest(of):
        network = fc.create_model("fcn32s-vgg11", len(of.classes), width=1 / 64, hidden=4)
        return fc.evaluate(fc.Model(network, of.classes), of).images.digest

    assert digest(data) == evaluation.images.digest
    assert digest(data.take([1, 0])) != digest(data.take([0, 1]))
