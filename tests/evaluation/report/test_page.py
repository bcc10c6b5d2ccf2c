import csv
import io
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from browser import check_page
from fullconv.errors import OutputError
from fullconv.evaluation.metrics import Confusion, EpochIoU
from fullconv.evaluation.report.gallery import GallerySample
from fullconv.evaluation.report.page import HeadReport, ReportData, worst_classes, write_report
from html_page import Page

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "{{ 7 * 7 }}",
)


def sample(name, mean_iou):
    image = np.full((6, 8, 3), 120, np.uint8)
    target = np.zeros((6, 8), np.uint8)
    target[0], target[1] = 255, 1
    return GallerySample(name, image, target, np.zeros_like(target), mean_iou)


def epoch(number, **values):
    return {"epoch": number, "loss": 1.0, "lr": 0.1, "pixel_accuracy": 0.5} | values


def confusion(rows):
    counts = np.array(rows, np.int64)
    return Confusion(len(counts), counts)


@pytest.fixture(scope="session")
def report():
    return ReportData(
        title="street-001",
        summary="fcn8s-vgg16, 3 classes, evaluated on 40 photos",
        facts={"model": "fcn8s-vgg16", "seed": "1337"},
        history=[epoch(1, mean_iou=0.25), epoch(2, mean_iou=0.5), epoch(3, mean_iou=0.375)],
        heads=[
            HeadReport(
                name="",
                classes=("sky", "road", "bird"),
                palette=((0, 0, 255), (90, 90, 90), (200, 0, 0)),
                confusion=confusion([[60, 20, 0, 0], [10, 10, 0, 0], [0, 0, 0, 0]]),
                gallery=[sample("worst", 0.1), sample("best", 0.9), sample("empty", float("nan"))],
                protocol="3 classes; void 255 left out",
            )
        ],
        commands=[
            "fullconv predict runs/street-001 a.jpg",
            "fullconv export runs/street-001 a.onnx",
        ],
    )


def changed(report, head, **values):
    """Return a report with other values, and other values of its only head."""
    return replace(report, heads=[replace(report.heads[0], **head)], **values)


@pytest.fixture(scope="session")
def folder(report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    assert write_report(folder, report) == folder / "report.html"
    return folder


@pytest.fixture(scope="session")
def page(folder):
    return Page(folder / "report.html")


def test_everything_is_in_the_folder(folder):
    files = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())
    assert files == [
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "curves.png",
        "per_class.csv",
        "report.html",
        "samples/best.png",
        "samples/empty.png",
        "samples/worst.png",
    ]


def test_the_page_is_self_contained(folder, page):
    assert not page.open, "an element is never closed"
    assert not page.all("script")
    sources = [tag["src"] for tag in page.all("img")] + [t["srcset"] for t in page.all("source")]
    assert (
        len(sources) == 3 * 2 + 3 * 4
    )  # charts in light and dark, one stacked; four panels a sample
    for source in sources:
        head, content = source.split(",", 1)
        assert re.fullmatch(r"data:image/(png|jpeg);base64", head)
        Image.open(io.BytesIO(b64decode(content, validate=True))).load()
    assert not re.search(
        r"https?:|url\(|@import|//", re.sub(r"base64,[^\"]+", "", page_text(folder))
    )


def page_text(folder):
    return (folder / "report.html").read_text()


def test_the_headline_numbers_and_their_protocol(page):
    # 60 + 10 of 100 pixels are right; accuracies 60/80 and 10/20; IU 60/(80+10) and 10/(20+20),
    # weighted by 80 and 20 pixels (paper, section 5).
    assert "mean IoU 45.8 %" in page.text
    assert "pixel accuracy 70.0 %" in page.text
    assert "mean accuracy 62.5 %" in page.text
    assert "frequency-weighted IoU 58.3 %" in page.text
    assert "3 classes; void 255 left out" in page.text


def test_the_best_epoch_is_named(page):
    assert "Best mean IoU: 50.0 % , epoch 2 of 3." in page.text


def test_the_table_has_a_row_a_class_and_a_dash_for_an_absent_one(page):
    assert "sky 80 75.0 % 66.7 % road 20 50.0 % 25.0 % bird 0 - - " in page.text
    widths = [tag["width"] for tag in page.all("rect") if "fill" not in tag]
    assert widths == ["0.6667", "0.2500"]


def test_the_class_of_lowest_iou_is_shown_with_its_confusion(page):
    # Of the 30 pixels predicted as road, 20 are sky; only 10 road pixels are predicted as sky.
    sentence = "Lowest IoU: road ( 25.0 % ; 66.7 % of the pixels predicted as road are sky)."
    assert sentence in " ".join(page.text.split())


def test_samples_go_from_best_to_worst(page):
    names = [tag["alt"].split(":")[0] for tag in page.all("img") if ": photo" in tag["alt"]]
    assert names == ["best", "worst", "empty"]
    assert "worst 10.0 % mean IoU" in page.text and "empty - mean IoU" in page.text


def test_best_worst_and_unlabelled_samples_are_in_three_columns(report, tmp_path):
    shares = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.1, "e": 0.2, "f": 0.3, "g": float("nan")}
    pictures = [sample(name, share) for name, share in shares.items()]
    page = Page(write_report(tmp_path, changed(report, {"gallery": pictures})))
    names = [tag["alt"][0] for tag in page.all("img") if ": photo" in tag["alt"]]
    assert names == list("abcdefg")
    assert re.search(r"Best a .* c .*Worst d .* f .*Without labels g -", page.text, re.DOTALL)


def test_a_single_sample_is_only_the_best(report, tmp_path):
    page = Page(write_report(tmp_path, changed(report, {"gallery": [sample("only", 0.5)]})))
    assert "Best only" in page.text and "Worst" not in page.text


@pytest.fixture(scope="session")
def full_page(report, tmp_path_factory):
    rows = [row | {"seconds": 30.0, "step_seconds": 0.5} for row in report.history]
    rows = [row | {"images_per_second": 8.0, "memory": 2.0**30} for row in rows]
    history = [
        EpochIoU(1, 10, (0.25, 0.5, float("nan"))),
        EpochIoU(3, 30, (0.75, 0.125, float("nan"))),
    ]
    more = changed(
        report,
        {"class_history": history, "class_weights": (0.5, 1.25, 0.0)},
        history=rows,
        notes=[(0, "no pixel is labelled bird"), (1200, "the loss <b>rose</b>")],
    )
    return Page(write_report(tmp_path_factory.mktemp("full_page"), more))


def test_each_class_has_its_curve_over_the_epochs(full_page):
    assert not full_page.open
    labels = [tag["aria-label"] for tag in full_page.all("svg") if "aria-label" in tag]
    assert labels[:2] == ["sky: IoU from 25.0 % to 75.0 %", "road: IoU from 50.0 % to 12.5 %"]
    assert "sky 75.0 % road 12.5 % bird -" in full_page.text
    lines = [tag["points"].split() for tag in full_page.all("polyline")][:2]
    heights = [[float(point.split(",")[1]) for point in line] for line in lines]
    assert heights[0][0] > heights[0][1] and heights[1][0] < heights[1][1]


def test_time_and_memory_are_shown(full_page):
    assert "time 1 min 30 s 3 epochs" in full_page.text
    assert "time per step 0.50 s" in full_page.text and "images/s 8" in full_page.text
    assert "memory 1.0 GiB" in full_page.text


def test_notes_are_shown_with_their_step(full_page):
    assert "before the first step no pixel is labelled bird" in full_page.text
    assert "step 1,200 the loss <b>rose</b>" in full_page.text and not full_page.all("b")


def test_class_weights_are_next_to_the_pixels(full_page):
    assert "pixels weight accuracy IoU" in full_page.text
    assert "sky 80 0.5 75.0 %" in full_page.text and "road 20 1.25 50.0 %" in full_page.text


def test_settings_and_commands_are_shown(page):
    assert "model fcn8s-vgg16 seed 1337" in page.text
    assert "fullconv predict runs/street-001 a.jpg\nfullconv export" in page.text


def test_the_page_is_accessible(page):
    assert page.all("html") == [{"lang": "en"}]
    assert all(tag.get("alt") for tag in page.all("img"))
    assert {tag.get("scope") for tag in page.all("th")} == {"row", "col"}
    levels = [name for name, _ in page.tags if name in ("h1", "h2", "h3")]
    assert levels[0] == "h1" and levels.count("h1") == 1


def contrast(first, second):
    """Of two colours, from 1 to 21 (WCAG 2.1, definition of contrast ratio)."""

    def luminance(color):
        values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_text_has_contrast_in_light_and_dark(folder):
    found = re.findall(r":root \{(.*?)\}", page_text(folder), re.DOTALL)
    themes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in found]
    assert len(themes) == 2
    for theme in themes:
        assert contrast(theme["ink"], theme["wash"]) > 7
        assert contrast(theme["muted"], theme["paper"]) > 4.5  # WCAG 2.1, 1.4.3
        assert contrast(theme["accent"], theme["wash"]) > 3  # 1.4.11


def test_csv_files_hold_the_numbers(folder):
    assert (folder / "confusion_matrix.csv").read_text() == (
        "ground truth,sky,road,bird,unlabelled\nsky,60,20,0,0\nroad,10,10,0,0\nbird,0,0,0,0\n"
    )
    assert (folder / "per_class.csv").read_text() == (
        "class,pixels,accuracy,iou\nsky,80,0.750000,0.666667\nroad,20,0.500000,0.250000\nbird,0,-,-\n"
    )


def test_hostile_names_are_inert(report, tmp_path):
    counts = np.full((4, 5), 3)
    head = {
        "protocol": HOSTILE[0],
        "classes": HOSTILE,
        "palette": ((1, 2, 3),) * 4,
        "confusion": confusion(counts),
        "class_history": [EpochIoU(epoch, epoch, (0.5,) * 4) for epoch in (1, 2)],
        "gallery": [sample(HOSTILE[1], 0.5)],
    }
    hostile = changed(
        report,
        head,
        title=HOSTILE[0],
        summary=HOSTILE[1],
        facts={HOSTILE[0]: HOSTILE[1]},
        history=[],
        notes=[(1, HOSTILE[0])],
        commands=HOSTILE,
    )
    path = write_report(tmp_path, hostile)
    page = Page(path)
    assert not page.all("script")
    assert all(tag["src"].startswith("data:") for tag in page.all("img"))
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert HOSTILE[0] in page.text and HOSTILE[3] in page.text and "49" not in page.text
    for file in ("confusion_matrix.csv", "per_class.csv"):
        rows = list(csv.reader(io.StringIO((tmp_path / file).read_text())))
        assert len({len(row) for row in rows}) == 1
        assert rows[3][0] == "'" + HOSTILE[2]
        assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def test_an_evaluation_without_training_has_no_curves(report, tmp_path):
    page = Page(
        write_report(tmp_path, changed(report, {"gallery": []}, history=[], facts={}, commands=[]))
    )
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "per_class.csv",
        "report.html",
    ]
    for absent in (
        "Training",
        "samples",
        "over the epochs",
        "Time",
        "Notes",
        "pixels weight",
        "Settings",
        "Next steps",
    ):
        assert absent not in page.text


def test_an_evaluation_without_any_pixel_is_reported(report, tmp_path):
    page = Page(write_report(tmp_path, changed(report, {"confusion": Confusion(3), "gallery": []})))
    assert "mean IoU -" in page.text and "Lowest" not in page.text


def test_files_of_samples_stay_in_their_folder_and_apart(report, tmp_path):
    names = ["../../../up", "a/b", "a b", "A_b", "a~b", "...", "é" * 200]
    write_report(
        tmp_path / "run", changed(report, {"gallery": [sample(name, 0.5) for name in names]})
    )
    written = [file for file in tmp_path.rglob("*.png") if file.parent.name == "samples"]
    assert len({file.name.casefold() for file in written}) == len(names)
    assert {file.parent for file in written} == {tmp_path / "run" / "samples"}


def test_each_head_has_its_sections_and_files(report, tmp_path):
    other = replace(
        report.heads[0],
        name="shape",
        classes=("flat", "tall"),
        confusion=confusion([[10, 0, 0], [10, 0, 0]]),
        gallery=[sample("a", 0.5)],
        protocol="2 classes",
    )
    heads = [replace(report.heads[0], name="thing"), other]
    page = Page(write_report(tmp_path, replace(report, heads=heads)))
    assert not page.open
    # (60 / 90 + 10 / 40) / 2 of the first head, (10 / 20 + 0) / 2 of the other; and their mean.
    assert "mean IoU 35.4 %" in page.text
    assert "thing 45.8 %" in page.text and "shape 25.0 %" in page.text
    for title in ("Classes", "Confusion matrix", "Best and worst samples"):
        assert f"{title}: thing" in page.text and f"{title}: shape" in page.text
    assert "shape: 2 classes" in page.text
    for head in heads:
        rows = (tmp_path / head.name / "per_class.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["class", *head.classes]
    assert (tmp_path / "shape" / "samples" / "a.png").is_file()


def test_equal_reports_have_equal_bytes(report, folder, tmp_path):
    write_report(tmp_path, report)
    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_a_file_that_cannot_be_written_is_an_output_error(report, tmp_path):
    (tmp_path / "per_class.csv").mkdir()
    with pytest.raises(OutputError, match=r"per_class\.csv"):
        write_report(tmp_path, changed(report, {"gallery": []}, history=[]))


def test_a_worst_class_has_the_larger_of_its_two_kinds_of_error():
    missed = worst_classes(confusion([[2, 6, 0, 0], [1, 90, 9, 0], [0, 0, 9, 0]]), ["a", "b", "c"])
    assert [(w.name, w.other, w.share, w.missed) for w in missed] == [("a", "b", 0.75, True)]
    wrongly = worst_classes(confusion([[2, 1, 0, 0], [8, 90, 0, 0], [0, 0, 9, 0]]), ["a", "b", "c"])
    assert [(w.name, w.other, w.share, w.missed) for w in wrongly] == [("a", "b", 0.8, False)]


def test_unlabelled_pixels_count_as_a_confusion():
    found = worst_classes(confusion([[5, 1, 4], [0, 10, 0]]), ["a", "b"])
    assert [(w.name, w.other, w.share) for w in found] == [("a", "unlabelled", 0.4)]


def test_worst_classes_are_the_lowest_third_without_perfect_and_absent_ones():
    counts = np.zeros((9, 10), np.int64)
    counts[range(9), range(9)] = [10, 20, 30, 40, 50, 60, 70, 80, 0]
    counts[:8, -1] = 10
    names = [f"class {i}" for i in range(9)]
    assert [w.name for w in worst_classes(confusion(counts), names)] == ["class 0", "class 1"]
    counts[:, -1] = 0
    assert worst_classes(confusion(counts), names) == []


@pytest.mark.slow
def test_the_page_reads_well_in_a_browser(full_page, browser):
    check_page(browser, full_page.path)
