"""The page with a model inside, in Chromium, as a user has it: one file, no server."""

import base64
import io
import json
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

import export_models
import fullconv as fc
from browser import check_page, policy
from exif_photos import write_rotated
from fullconv.batch.writers.geojson import geojson_lines
from fullconv.data.formats import open_data
from fullconv.errors import ExportError
from fullconv.export.export import export
from fullconv.export.exporters import exporters
from fullconv.inference.runtimes.page import SETTINGS, read_element, replace_element
from fullconv.io import palettes
from fullconv.io.images import decode_image
from fullconv.io.rasters import BandChoice
from shown_pages import (
    checksums,
    choose,
    downloaded,
    encoded,
    expected_checksums,
    labels_of,
    noise,
    opened,
    photo_files,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(page):
    return fc.load(page)


def test_files_are_decoded_and_scaled_as_by_the_command_to_the_byte(browser, page):
    shown = opened(browser, page)
    for name, content in photo_files():
        assert checksums(shown, content) == expected_checksums(content), name


def test_photos_are_turned_by_their_exif_orientation(browser, page, tmp_path):
    shown = opened(browser, page)
    for orientation in range(1, 9):
        write_rotated(tmp_path / "a.jpg", noise(), orientation)
        content = (tmp_path / "a.jpg").read_bytes()
        assert checksums(shown, content) == expected_checksums(content), orientation


def test_labels_are_those_of_the_command(browser, page, model):
    shown = opened(browser, page)
    photos = {"large.png": noise(300, 210), "small.png": noise(40, 33), "one.png": noise(1, 5)}
    choose(shown, **{name: encoded("PNG", Image.fromarray(one)) for name, one in photos.items()})
    for number, photo in enumerate(photos.values()):
        prediction = model.predict(photo)
        best = np.sort(prediction.probabilities, 0)
        clear = best[-1] - best[-2] > 1e-5
        found = labels_of(shown, number)
        assert found.shape == photo.shape[:2]
        assert (found == prediction.labels)[clear].all() and clear.mean() > 0.99
    assert not browser.errors and not browser.requests


def test_an_export_is_verified_in_the_browser(make_page, tmp_path):
    model = export_models.model()
    description = export(model, tmp_path / "a.html", export_models.photos((70, 90)))
    assert description.browser.difference < 2e-6 and description.browser.label_changes == 0
    settings = json.loads(read_element((tmp_path / "a.html").read_text(), SETTINGS))
    assert settings["description"]["browser"]["browser"] == description.browser.browser


def test_int8_scores_are_bit_identical(make_page, tmp_path):
    source = make_page(export_models.model(), "source")
    batches = [export_models.batch(1, 40, 50), export_models.batch(1, 33, 65)]
    target = tmp_path / "int8.html"
    exporters["page"].quantize(source, target, batches)
    settings = json.loads(read_element(source.read_text(), SETTINGS))
    exporters["page"].stamp(target, json.dumps(settings["description"] | {"precision": "int8"}))
    found = exporters["page"].try_out(target, batches)
    assert found.difference == 0 and found.label_changes == 0


def test_a_page_whose_labels_differ_says_so_and_is_not_exported(browser, page, tmp_path):
    text = page.read_text()
    settings = json.loads(read_element(text, SETTINGS))
    settings["description"]["input_scale"] = 0.5
    path = tmp_path / "other.html"
    path.write_text(replace_element(text, SETTINGS, json.dumps(settings)))
    shown = browser.open(path)
    shown.wait_for_selector("html[data-check]", state="attached")
    assert "Self-check failed (labels)" in shown.inner_text("#status")
    with pytest.raises(ExportError, match=r"self-check failed in .*\(labels\)"):
        exporters["page"].try_out(path, [])


def test_it_reads_well_on_phones_and_in_the_dark(browser, page):
    check_page(browser, page)
    check_page(browser, page, locale="zh-CN")
    for dark in (False, True):
        shown = opened(browser, page, width=360, dark=dark)
        choose(shown, **{"a photo with a long name " * 4 + ".png": encoded("PNG")})
        assert shown.evaluate("document.documentElement.scrollWidth") <= 360
        shown.close()


def test_chinese_is_used_where_it_is_preferred_and_can_be_chosen(browser, page):
    shown = opened(browser, page, locale="zh-CN")
    assert shown.inner_text("#choose") == "选择照片"
    shown.select_option("#language", "en")
    assert shown.inner_text("#choose") == "Choose photos"
    assert shown.get_attribute("html", "lang") == "en"


def test_nothing_can_be_sent(browser, page):
    rules = policy(page.read_text())
    assert rules["default-src"] == rules["connect-src"] == rules["form-action"] == "'none'"
    assert "unsafe-inline" not in str(rules) and "'unsafe-eval'" not in str(rules)
    shown = opened(browser, page)
    code = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
    assert shown.evaluate(code) == "refused"


def test_class_names_are_text(browser, make_page):
    names = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "a & b")
    hostile = make_page(fc.Model(export_models.network(), names), "hostile")
    shown = opened(browser, hostile)
    shown.on("dialog", lambda dialog: pytest.fail("a script ran"))
    choose(shown, **{"<b>name.png": encoded("PNG")})
    assert all(name in shown.inner_text("#legend") for name in names)
    assert "<b>name.png" in shown.inner_text("#status")
    assert not browser.errors and shown.locator("#legend img, #status b").count() == 0


def test_refused_files_are_named_and_the_others_go_on(browser, page):
    shown = opened(browser, page)
    cut = encoded("JPEG")[:100]
    deep = encoded("PNG", Image.fromarray(np.arange(9, dtype=np.uint16).reshape(3, 3)))
    choose(shown, **{"a.gif": encoded("GIF"), "b.jpg": cut, "c.png": deep, "d.png": encoded("PNG")})
    text = shown.inner_text("#problems")
    assert "a.gif: not a photo that browsers read" in text
    assert "b.jpg: a JPEG file that this browser cannot decode" in text
    assert "c.png: more than 8 bits a channel" in text and "d.png" not in text
    assert shown.evaluate("fullconv.queue.items[3].state") == "done"


def test_photos_of_16_bits_are_scaled_by_the_models_range(browser, make_page, tmp_path):
    model = export_models.model(size=(60, 80))
    model.band_choice = BandChoice(value_range=(100, 3000), keep_8_bit=True)
    page = make_page(model, "deep")
    values = np.random.default_rng(3).integers(0, 4000, (40, 50), np.uint16)
    content = encoded("PNG", Image.fromarray(values))
    shown = opened(browser, page)
    choose(shown, **{"deep.png": content})
    expected = fc.load(page).predict(decode_image(content, "deep.png", (100, 3000)))
    best = np.sort(expected.probabilities, 0)
    clear = best[-1] - best[-2] > 1e-5
    assert (labels_of(shown) == expected.labels)[clear].all()
    text = base64.b64encode(content).decode()
    photo = f"new Blob([bytesOf('{text}')])"
    sums = shown.evaluate(f"fullconv.source.predict({photo}, null, [20, 31]).then((f) => f.sums)")
    assert sums[0] == zlib.crc32(decode_image(content, "deep.png", (100, 3000)).tobytes())
    assert not browser.errors


def test_the_pointer_shows_class_probability_and_the_next_class(browser, page, model):
    shown = opened(browser, page)
    choose(shown, **{"a.png": encoded("PNG")})
    box = shown.locator("#stack").bounding_box()
    shown.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    prediction = model.predict(noise())
    y, x = 71 // 2, 93 // 2
    order = prediction.probabilities[:, y, x].argsort()[::-1]
    text = shown.inner_text("#under")
    assert text.startswith(model.classes[order[0]]) and f"then {model.classes[order[1]]}" in text
    assert f"(column {x}, row {y})" in text
    share = 100 * prediction.probabilities[order[0], y, x]
    assert abs(float(text.split()[1]) - share) < 1


def test_a_click_hides_a_class(browser, page):
    shown = opened(browser, page)
    choose(shown, **{"a.png": encoded("PNG")})
    count = """() => { const c = document.getElementById('first');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      return d.filter((value, i) => i % 4 === 3 && value).length }"""
    before = shown.evaluate(count)
    boxes = shown.locator("#legend input[type=checkbox]")
    for number in range(boxes.count()):
        boxes.nth(number).uncheck()
    assert before > 0 == shown.evaluate(count)
    for number in range(boxes.count()):
        boxes.nth(number).check()
    assert shown.evaluate(count) == before


def test_a_photo_is_taken_with_the_camera(browser, page):
    shown = opened(browser, page)
    shown.click("#camera")
    shown.wait_for_selector("#filming[open]")
    size = "[document.getElementById('video').videoWidth, video.videoHeight]"
    wait_until(lambda: shown.evaluate(size)[0])
    width, height = shown.evaluate(size)
    shown.click("#take")
    wait_until(lambda: shown.evaluate("fullconv.queue.items[0]?.state === 'done'"))
    assert labels_of(shown).shape == (height, width)
    assert not shown.is_visible("#filming")
    tracks = "document.getElementById('video').srcObject.getTracks().map((one) => one.readyState)"
    assert shown.evaluate(tracks) == ["ended"]
    assert not browser.errors


def test_photos_can_be_pasted_and_dropped(browser, page):
    shown = opened(browser, page)
    content = base64.b64encode(encoded("PNG")).decode()
    for kind, key in (("paste", "clipboardData"), ("drop", "dataTransfer")):
        shown.evaluate(f"""() => {{
          const data = new DataTransfer();
          data.items.add(new File([bytesOf('{content}')], '{kind}.png', {{ type: 'image/png' }}));
          const event = new Event('{kind}', {{ bubbles: true, cancelable: true }});
          Object.defineProperty(event, '{key}', {{ value: data }});
          document.body.dispatchEvent(event);
        }}""")
    names = shown.evaluate("fullconv.queue.items.map((item) => item.name)")
    assert names == ["paste.png", "drop.png"]


def test_masks_are_corrected_by_keyboard_alone_and_become_a_data_set(
    browser, page, model, tmp_path
):
    shown = opened(browser, page)
    names = ["a.png", "b.png", "c.png"]
    choose(
        shown,
        **{name: encoded("PNG", Image.fromarray(noise(seed=i))) for i, name in enumerate(names)},
    )
    before = labels_of(shown)
    shown.focus("#area")
    shown.keyboard.press("f")
    shown.focus("#legend li:last-child input[type=radio]")
    shown.keyboard.press("Space")
    paint = shown.evaluate(
        "Number(document.querySelector('#legend :checked[name=paint]')"
        ".closest('li').dataset.labelNumber)"
    )
    shown.focus("#area")
    shown.keyboard.press("ArrowRight")
    assert "(column 46, row 35)" in shown.inner_text("#spoken")
    shown.keyboard.press("Enter")
    filled = labels_of(shown)
    assert (filled != before).any() and (filled[filled != before] == paint).all()
    shown.keyboard.press("e")
    shown.keyboard.press("Shift+ArrowRight")
    shown.keyboard.press("Enter")
    erased = labels_of(shown)
    assert erased[35, 56] == 255
    shown.keyboard.press("Control+z")
    assert (labels_of(shown) == filled).all()
    shown.keyboard.press("Control+y")
    assert (labels_of(shown) == erased).all()

    name, content = downloaded(shown, "dataset")
    assert name == "corrected.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    (sample,) = open_data(str(tmp_path)).take([0])
    assert (sample.labels == erased).all() and (sample.image == noise()).all()


def test_the_brush_paints_under_the_pointer(browser, page):
    shown = opened(browser, page)
    choose(shown, **{"a.png": encoded("PNG")})
    before = labels_of(shown)
    shown.check("input[name=tool][value=eraser]")
    box = shown.locator("#stack").bounding_box()
    shown.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.5)
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.5, steps=5)
    shown.mouse.up()
    after = labels_of(shown)
    assert (after[35, 20:72] == 255).all() and (after[:20] == before[:20]).all()
    shown.click("#undo")
    assert (labels_of(shown) == before).all()


def test_downloads_are_what_the_command_writes(browser, page, model):
    shown = opened(browser, page)
    choose(shown, **{"my.photo.jpg": encoded("PNG")})
    labels = labels_of(shown)
    name, mask = downloaded(shown, "mask")
    assert name == "my.photo.png" and (np.asarray(Image.open(io.BytesIO(mask))) == labels).all()
    name, lines = downloaded(shown, "geojson")
    assert lines == b"".join(geojson_lines(labels, model.classes, model.palette))
    name, overlay = downloaded(shown, "overlay")
    expected = palettes.overlay(noise(), labels, model.palette)
    found = np.asarray(Image.open(io.BytesIO(overlay)).convert("RGB"))
    assert np.abs(found.astype(int) - expected).max() <= 2
    assert json.loads(downloaded(shown, "coco")[1])["images"][0]["file_name"] == "my.photo.jpg"
    name, archive = downloaded(shown, "masksOnly")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened_archive:
        assert opened_archive.namelist() == ["my.photo.png"]


def test_many_photos_stay_within_a_bound_of_memory(browser, page):
    shown = opened(browser, page)
    shown.evaluate("void 0")
    choose(shown, **{f"{i}.png": encoded("PNG", Image.fromarray(noise(seed=i))) for i in range(12)})
    assert shown.evaluate("fullconv.queue.items.every((item) => item.state === 'done')")
    assert shown.locator("#list li").count() == 12
    shown.locator("#list li").nth(5).locator("button").first.click()
    shown.locator("#list .remove").first.click()
    assert shown.locator("#list li").count() == 11


def test_every_control_has_a_name(browser, page):
    shown = opened(browser, page)
    choose(shown, **{"a.png": encoded("PNG"), "b.png": encoded("PNG")})
    shown.check("input[name=tool][value=brush]")
    unnamed = shown.evaluate("""() =>
      [...document.querySelectorAll('button, input, select, [tabindex]')]
      .filter((one) => one.checkVisibility() && one.ariaHidden !== 'true')
      .filter((one) => !(one.ariaLabel || one.textContent.trim()
        || one.closest('label')?.textContent.trim()))
      .map((one) => one.outerHTML)""")
    assert unnamed == []
    assert shown.get_attribute("#status", "aria-live") == "polite"
