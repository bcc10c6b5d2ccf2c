"""The page of an evaluation: complete, inert, bounded, and usable by keyboard in a browser."""

import re
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch

from browser import PHONE, check_page, overflow, policy
from fullconv.data.sample import Data, Sample
from fullconv.evaluation.evaluate import summarize
from fullconv.evaluation.image_table import NEAR
from fullconv.evaluation.metrics import Confusion
from fullconv.evaluation.report import error_panels, image_rows
from fullconv.evaluation.report.error_panels import confidence_levels, explained_panels
from fullconv.evaluation.report.evaluation_page import write_evaluation_page
from fullconv.evaluation.report.image_rows import choose_listed, choose_shown, rank_by_cost
from fullconv.evaluation.scored_samples import ScoredSample
from fullconv.inference.prediction import Prediction
from html_page import Page

CLASSES = ("sky", "road", "<img src=x onerror=alert(1)>")
PALETTE = ((80, 120, 200), (120, 80, 120), (200, 160, 40))
SIZE = (24, 32)


def read(index):
    """An image whose lower half is road, with a square of the third class in even ones."""
    random = np.random.default_rng(index)
    labels = np.zeros(SIZE, np.uint8)
    labels[12:] = 1
    if index % 2 == 0:
        labels[2:8, 4:10] = 2
    labels[0] = 255
    image = random.integers(0, 255, (*SIZE, 3), np.uint8)
    return Sample(image, labels, f"<b>frame</b>_{index}")


def dataset(count):
    names = tuple(f"<b>frame</b>_{index}" for index in range(count))
    return Data("photos", "val", CLASSES, PALETTE, names, read)


def score(data, indices=None, *, scores=True):
    """Predict with an error that grows with the index: the boundary is too low."""
    for index in range(len(data)) if indices is None else indices:
        sample = data[index]
        labels = np.zeros(SIZE, np.uint8)
        labels[12 + index % 10 :] = 1
        score = torch.nn.functional.one_hot(torch.from_numpy(labels).long(), 3).permute(2, 0, 1)
        confusion = Confusion(3)
        confusion.add(sample.labels, labels)
        made = Prediction(sample.image, (4.0 * score).numpy(), CLASSES, PALETTE) if scores else None
        yield ScoredSample(sample, labels, made, confusion)


def write(folder, count=40, explain=True, scores=True, groups=r"frame(?=<)"):
    data = dataset(count)
    evaluation = summarize(score(data, scores=scores), data, "protocol", groups, explain)
    evaluation = replace(evaluation, model="<script>alert(1)</script>")
    seen = []

    def read_shown(indices):
        seen.extend(indices)
        return score(data, indices, scores=scores)

    path = write_evaluation_page(folder, evaluation, PALETTE, read_shown)
    return path, evaluation, seen


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write(tmp_path_factory.mktemp("frames-001"))[0]


def test_only_the_images_of_highest_and_lowest_cost_are_read_once(tmp_path):
    _, evaluation, seen = write(tmp_path)
    ranked = rank_by_cost(evaluation)
    assert seen == [*ranked[:24], *ranked[-1:-9:-1]] and len({*seen}) == 32
    cost = evaluation.counts.cost
    assert cost[seen[0]] == cost.max() and cost[seen[-8]] == cost.min()


@pytest.mark.parametrize(("count", "worst", "best"), [(0, 0, 0), (1, 1, 0), (8, 6, 2), (99, 24, 8)])
def test_no_image_is_shown_twice(count, worst, best):
    first, last = choose_shown([*range(count)])
    assert (len(first), len(last)) == (worst, best) and not {*first} & {*last}


def test_a_long_table_keeps_every_image_with_a_picture(monkeypatch):
    monkeypatch.setattr(image_rows, "MAX_ROWS", 50)
    ranked = [*range(90)]
    listed = choose_listed(ranked)
    assert len(listed) == 50 and {*chain(*choose_shown(ranked))} <= {*listed}


def test_the_policy_admits_one_style_and_one_script_and_nothing_else(page):
    text = page.read_text()
    directives = policy(text)
    assert directives["default-src"] == "'none'" and directives["img-src"] == "data:"
    assert re.fullmatch(r"'sha256-[\w+/=]+'", directives["script-src"])
    parsed = Page(page)
    assert len(parsed.all("script")) == len(parsed.all("style")) == 1 and not parsed.open
    names = {name for _, attributes in parsed.tags for name in attributes}
    assert "style" not in names and not [name for name in names if name.startswith("on")]
    assert "http" not in text.replace("http-equiv", "")
    assert all(tag["src"].startswith("data:") for tag in parsed.all("img"))


def test_names_are_escaped_everywhere(page):
    text = page.read_text()
    assert "<img src=x" not in text and "<b>frame" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_predictions_from_files_have_no_confidence(tmp_path):
    path, _, _ = write(tmp_path, count=4, scores=False)
    assert "Calibration" not in path.read_text() and "above 99 %" not in path.read_text()


def test_without_an_explanation_images_and_pictures_remain(tmp_path):
    path, _, _ = write(tmp_path, count=4, explain=False)
    text = path.read_text()
    assert "Kinds of errors" not in text and text.count('class="sample"') == 4


def test_images_without_target_pixels_are_left_out(tmp_path):
    data = dataset(3)
    void = replace(data, read=lambda index: replace(read(index), labels=np.full(SIZE, 255, "u1")))
    evaluation = summarize(score(void), void, "protocol", explain=True)
    path = write_evaluation_page(
        tmp_path, evaluation, PALETTE, lambda indices: score(void, indices)
    )
    assert 'class="sample"' not in path.read_text()


def test_panels_of_noise_are_made_small_enough():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, (500, 700), np.uint8)
    image = random.integers(0, 255, (500, 700, 3), np.uint8)
    sample = Sample(image, labels, "noise")
    noise = torch.randn(3, 500, 700)
    item = ScoredSample(
        sample, np.roll(labels, 1), Prediction(image, noise.numpy(), CLASSES, PALETTE), Confusion(3)
    )
    panels = explained_panels(item, PALETTE)
    assert [*panels] == ["photo", "ground truth", "prediction", "errors", "confidence"]
    assert sum(map(len, panels.values())) <= error_panels.MAX_BYTES


def test_confidence_is_that_of_the_pixel_that_is_shown():
    score = torch.zeros(2, 4, 4)
    score[0, 1, 1], score[0, 3, 3] = 1.0, 10.0  # 73 % and more than 99 %
    assert confidence_levels(score, (2, 2)).tolist() == [[2, 1], [1, 4]]
    assert NEAR == 3  # the legend names it


# In a browser


@pytest.mark.slow
def test_the_page_reads_well_in_a_browser(page, browser):
    check_page(browser, page)


def column(page, number):
    cells = page.locator("#images tbody tr:visible > *").filter(visible=True)
    width = page.locator("#images thead th:visible").count()
    return cells.all_inner_texts()[number::width]


@pytest.mark.slow
def test_columns_are_sorted_by_keyboard_alone(page, browser):
    opened = browser.open(page)
    costs = [float(text) for text in column(opened, 2)]
    assert costs == sorted(costs, reverse=True)
    header = opened.get_by_role("columnheader", name="mean IoU").last
    opened.locator("input").focus()
    for _ in range(3):  # the select, the region of the table, the first header
        opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent").strip() == "image"
    for _ in range(3):
        opened.keyboard.press("Tab")
    opened.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    shares = [float(text.split()[0]) for text in column(opened, 3)]
    assert shares == sorted(shares, reverse=True)
    opened.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "ascending"
    assert [float(text.split()[0]) for text in column(opened, 3)] == shares[::-1]
    assert opened.locator("[aria-sort]").count() == 1
    focused = "getComputedStyle(document.activeElement).outlineStyle"
    assert opened.evaluate(focused) == "solid"
    assert not browser.errors


@pytest.mark.slow
def test_names_are_sorted_by_their_numbers(page, browser):
    opened = browser.open(page)
    opened.get_by_role("button", name="image").click()
    assert column(opened, 0) == [f"<b>frame</b>_{index}" for index in range(40)]


@pytest.mark.slow
def test_the_filter_hides_rows_and_pictures(page, browser):
    opened = browser.open(page)
    shown = opened.locator(".gallery > figure:visible")
    assert shown.count() == 32
    opened.get_by_label("Filter").fill("FRAME</b>_3")
    names = column(opened, 0)
    assert sorted(names) == sorted(f"<b>frame</b>_{i}" for i in (3, *range(30, 40)))
    assert 0 < shown.count() < 12
    assert opened.locator("output").inner_text() == "11 of 40 images"
    opened.get_by_label("Filter").fill("no such name")
    assert shown.count() == 0 and opened.get_by_text("None of them passes").first.is_visible()
    opened.get_by_label("Filter").fill("")
    assert shown.count() == 32 and not browser.errors


@pytest.mark.slow
def test_a_class_shows_its_iou_in_the_images_that_have_it(page, browser):
    opened = browser.open(page, width=PHONE)
    opened.get_by_label("With class").select_option("2")
    assert opened.locator("output").inner_text() == "20 of 40 images"
    assert {text.endswith("%") for text in column(opened, 4)} == {True}
    assert overflow(opened) <= 0
    opened.get_by_label("With class").select_option("")
    assert len(column(opened, 0)) == 40 and not browser.errors


@pytest.mark.slow
def test_the_page_is_complete_without_its_script(page, browser):
    opened = browser.open(page, java_script_enabled=False)
    assert len(column(opened, 0)) == 40
    assert opened.locator("form").is_hidden() and opened.locator("figure.sample").count() == 32
