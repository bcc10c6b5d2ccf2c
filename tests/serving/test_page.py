"""The page of the server: its headers, and its predictions in Chromium."""

import re

import numpy as np
import pytest
from PIL import Image

from accessibility import fetch_axe, violations
from fullconv.serving import Access, Settings
from serving_models import client, make_service, running
from shown_pages import wait_until


def test_the_page_has_a_strict_policy_with_a_new_nonce_each_time(models):
    with client(make_service(models)) as http:
        replies = [http.get("/") for _ in range(2)]
    nonces = []
    for reply in replies:
        assert reply.status_code == 200 and reply.headers["Content-Type"].startswith("text/html")
        policy = reply.headers["Content-Security-Policy"]
        (nonce,) = {*re.findall(r"'nonce-(\w+)'", policy)}
        assert f'nonce="{nonce}"' in reply.text and "unsafe" not in policy
        for part in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"):
            assert part in policy
        for name, value in {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "Cache-Control": "no-store",
        }.items():
            assert reply.headers[name] == value
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


def test_the_page_needs_no_key_but_its_predictions_do(models):
    service = make_service(models, access=Access(key="0123456789abcdef"))
    with client(service) as http:
        assert http.get("/").status_code == 200
        assert http.get("/models").status_code == 401


def test_a_server_without_the_page(models):
    with client(make_service(models, settings=Settings(page=False))) as http:
        assert http.get("/").status_code == 404


@pytest.mark.slow
def test_the_browser_shows_the_servers_predictions_of_two_models(models, browser, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    with running(make_service(models)) as server:
        page = browser.open(f"{server.url}/")
        page.wait_for_selector("html[data-check=passed]", state="attached")
        page.select_option("#other", "other")
        page.set_input_files("#files", tmp_path / "a.png")
        wait_until(lambda: page.evaluate("fullconv.queue.items[0].state === 'done'"))
        for part, name in (("editor.labels", "street"), ("other", "other")):
            found = page.evaluate(f"[...fullconv.queue.items[0].{part}]")
            expected = models[name].model.predict(photo).labels
            assert (np.array(found).reshape(expected.shape) == expected).all()
        check_divider(page)
        page.close()
    assert not browser.errors and not browser.requests


@pytest.mark.slow
def test_a_photo_that_only_the_server_reads_is_not_shown_as_another_one(models, browser, tmp_path):
    for seed, name in enumerate(["a.png", "b.tif"]):
        photo = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(photo).save(tmp_path / name)
    with running(make_service(models)) as server:
        page = browser.open(f"{server.url}/")
        page.wait_for_selector("html[data-check=passed]", state="attached")
        page.set_input_files("#files", [tmp_path / "a.png", tmp_path / "b.tif"])
        wait_until(lambda: page.evaluate("fullconv.queue.items[1].state === 'done'"))
        page.evaluate("document.querySelectorAll('#list button:not(.remove)')[1].click()")
        said = "document.getElementById('problems').textContent"
        wait_until(lambda: "b.tif: not a photo that browsers read" in page.evaluate(said))
        pixels = "getContext('2d').getImageData(0, 0, 60, 40).data"
        assert not any(page.evaluate(f"[...document.getElementById('photo').{pixels}]"))
        wait_until(lambda: any(page.evaluate(f"[...document.getElementById('first').{pixels}]")))
        page.close()
    assert not browser.requests


def check_divider(page):
    """Drag the line between the two models, and move it by keyboard."""
    box, line = (page.locator(name).bounding_box() for name in ("#stack", "#line"))
    row = box["y"] + box["height"] / 4  # not at the handle: the whole line can be dragged
    page.mouse.move(line["x"] + 1, row)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.21, row, steps=4)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.9, row)
    shown = "[divider.value, document.getElementById('second').style.clipPath, line.style.left]"
    value, clip, left = page.evaluate(shown)
    assert abs(int(value) - 21) <= 2 and f"{value}%" == left and clip.endswith(f" {value}%)")
    page.focus("#divider")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("divider.value") == str(int(value) + 1)
    assert page.evaluate("line.style.left") == f"{int(value) + 1}%"


@pytest.mark.slow
def test_corrected_masks_are_saved_on_the_server(models, browser, tmp_path):
    folder = tmp_path / "corrected"
    photos = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8)
    for number, photo in enumerate(photos):
        (tmp_path / str(number)).mkdir()
        Image.fromarray(photo).save(tmp_path / str(number) / "a photo.png")
    with running(make_service(models, settings=Settings(corrections=folder))) as server:
        page = browser.open(f"{server.url}/")
        page.wait_for_selector("html[data-check=passed]", state="attached")
        page.set_input_files("#files", tmp_path / "0" / "a photo.png")
        page.wait_for_selector("#keep:enabled")
        page.check("input[name=tool][value=eraser]")
        page.focus("#area")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.click("#keep")
        page.wait_for_selector("#status:has-text('Saved as images/a-photo.png')")
        labels = np.asarray(Image.open(folder / "masks/a-photo.png"))
        found = page.evaluate("[...fullconv.queue.items[0].editor.labels]")
        assert (np.array(found).reshape(labels.shape) == labels).all() and labels[20, 30] == 255
        page.click("#undo")
        page.click("#keep")
        page.wait_for_selector("#status:has-text('it replaced an earlier mask')")
        assert np.asarray(Image.open(folder / "masks/a-photo.png"))[20, 30] != 255
        page.set_input_files("#files", tmp_path / "1" / "a photo.png")
        page.wait_for_selector("#status:has-text('a photo.png: ')")
        page.wait_for_selector("#keep:enabled")
        page.click("#keep")
        page.wait_for_selector("#status:has-text('images/a-photo-2.png')")
        page.close()
    assert (np.asarray(Image.open(folder / "images/a-photo-2.png")) == photos[1]).all()
    assert not [text for text in browser.errors if "409" not in text]  # the console's own line
    assert not browser.requests


@pytest.mark.slow
def test_axe_finds_nothing_on_the_page_of_a_server(models, browser, tmp_path):
    axe = fetch_axe(tmp_path)
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    settings = Settings(corrections=tmp_path / "corrected")
    with running(make_service(models, settings=settings)) as server:
        page = browser.open(f"{server.url}/")
        page.wait_for_selector("html[data-check=passed]", state="attached")
        page.select_option("#other", "other")
        page.set_input_files("#files", tmp_path / "a.png")
        page.wait_for_selector("#divider:visible")
        page.check("input[name=tool][value=fill]")
        assert violations(page, axe) == []
        page.close()


@pytest.mark.slow
def test_without_a_folder_nothing_is_offered_to_be_saved(models, browser):
    with running(make_service(models)) as server:
        page = browser.open(f"{server.url}/")
        page.wait_for_selector("html[data-check=passed]", state="attached")
        assert page.locator("#keep").get_attribute("hidden") is not None
        page.close()
