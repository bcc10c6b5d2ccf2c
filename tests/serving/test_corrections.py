"""Corrected masks are saved with their photos in a data set, and no name of a client leads out."""

import io
import os
import threading

import numpy as np
import pytest
from PIL import Image

from exif_photos import write_rotated
from fullconv.data.checks import examine
from fullconv.data.formats import open_data
from fullconv.errors import ConfigError
from fullconv.serving import Access, Settings
from fullconv.serving._corrections import correction_name, open_folder
from serving_models import client, make_service

SIZE = (20, 24)


def photo(seed=0, kind="PNG", size=SIZE):
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return encoded(Image.fromarray(values), kind)


def mask(seed=0, size=SIZE, most=4):
    blocks = np.random.default_rng(seed).integers(0, most, (size[0] // 4, size[1] // 4 + 1))
    values = np.kron(blocks, np.ones((4, 4), int))[:, : size[1]].astype(np.uint8)
    values[:4, :4] = 255
    return values


def encoded(picture, kind="PNG"):
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


def png(values):
    return encoded(Image.fromarray(values))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "corrected"


@pytest.fixture
def http(models, folder):
    return client(make_service(models, settings=Settings(corrections=folder)))


def post(http, name="street", given=None, labels=None, query="", **options):
    files = {
        "photo": ("x.jpg", photo() if given is None else given),
        "mask": ("../../x.png", png(mask() if labels is None else labels)),
    }
    return http.post(f"/corrections/{name}{query}", files=files, **options)


def content(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_corrections_are_a_data_set_that_check_and_train_take(http, folder, models):
    kinds = {"a": "PNG", "b": "JPEG", "c": "WEBP", "d": "BMP", "e": "PNG", "f": "JPEG"}
    for seed, (name, kind) in enumerate(kinds.items()):
        reply = post(http, name, photo(seed, kind), mask(seed))
        suffix = {"JPEG": "jpg"}.get(kind, kind.lower())
        assert reply.status_code == 201
        assert reply.json() == {
            "photo": f"images/{name}.{suffix}",
            "mask": f"masks/{name}.png",
            "replaced": False,
        }
        assert (folder / "images" / f"{name}.{suffix}").read_bytes() == photo(seed, kind)
    findings = examine(str(folder)).findings
    assert not [one for one in findings if one.severity == "error"]
    seen = set()
    for split in ("train", "val"):
        data = open_data(str(folder), split)
        assert tuple(data.classes) == models["street"].model.classes
        assert tuple(data.palette) == models["street"].model.palette
        for sample in data.take(range(len(data))):
            assert (sample.labels == mask("abcdef".index(sample.name))).all()
            seen.add(sample.name)
    assert seen == {*kinds}


def test_rotated_photos_and_their_masks_fit(http, folder, tmp_path):
    for orientation in range(1, 9):
        upright = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
        write_rotated(tmp_path / "r.jpg", upright, orientation)
        size = SIZE if orientation < 5 else SIZE[::-1]
        given = (tmp_path / "r.jpg").read_bytes()
        reply = post(http, f"r{orientation}", given, mask(size=size))
        assert reply.status_code == 201, reply.json()
        wrong = post(http, "wrong", given, mask(size=size[::-1]))
        assert wrong.status_code == 422
    data = open_data(str(folder))
    assert len(data) == 8
    for sample in data.take(range(len(data))):
        size = SIZE if int(sample.name[1]) < 5 else SIZE[::-1]
        assert sample.image.shape[:2] == size and (sample.labels == mask(size=size)).all()


def test_a_name_is_given_once(http, folder):
    assert post(http, "a").status_code == 201
    before = content(folder)
    for name in ("a", "A", "a.jpg"):
        reply = post(http, name, photo(5), mask(5))
        assert reply.status_code == 409
        assert reply.json()["detail"] == f"a correction is saved as {name[0]}; choose another name"
    again = post(http, "a", labels=mask(1))
    assert again.status_code == 409 and "replace it with replace=1" in again.json()["detail"]
    assert content(folder) == before == ["classes.txt", "images/a.png", "masks/a.png"]
    assert (np.asarray(Image.open(folder / "masks/a.png")) == mask()).all()


def test_only_a_mask_of_the_same_photo_is_replaced(http, folder):
    post(http, "a")
    reply = post(http, "a", labels=mask(1), query="?replace=1")
    assert reply.status_code == 200 and reply.json()["replaced"]
    assert (np.asarray(Image.open(folder / "masks/a.png")) == mask(1)).all()
    reply = post(http, "a", photo(9), query="?replace=1")
    assert reply.status_code == 409 and "another photo is saved as a" in reply.json()["detail"]
    assert (folder / "images/a.png").read_bytes() == photo()


BAD = ["..", ".hidden", "a.", "-a", "a b", "a:b", "a\\b", "con", "NUL.txt", "COM1", "a\x00b", "a\n"]
BAD += ["x" * 85, "街" * 84, "", "a*", "\u202egpj", "~", "$(id)", "%", "a;b"]
GOOD = ["a", "IMG_0001", "_a", "a.b-c", "街-1", "übung", "console", "x" * 84]


def test_names_are_plain():
    assert [name for name in BAD if correction_name(name)] == []
    assert [correction_name(name) for name in GOOD] == GOOD
    assert correction_name("u\u0308") == "ü"


def test_no_path_of_a_client_reaches_the_disk(http, folder, tmp_path):
    before = content(tmp_path)
    for name in ("..%2f..%2fx", "%2e%2e", "%2fetc%2fx", "a%2fb", "a%00b", "..%5cx", "con", "%20"):
        reply = post(http, name)
        assert reply.status_code in (400, 404), name
    assert content(tmp_path) == before
    # The names of the form's files are not used either.
    assert post(http, "a").status_code == 201
    assert content(folder) == ["classes.txt", "images/a.png", "masks/a.png"]
    assert not (tmp_path / "x.png").exists()


def test_links_are_not_followed(http, folder, tmp_path):
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"mine")
    for name in ("images/a.png", "masks/b.png"):
        (folder / name).symlink_to(outside)
    (folder / "images/c.png").symlink_to(tmp_path / "new.png")
    for name in "abc":
        assert post(http, name).status_code in (409, 500), name
        assert post(http, name, query="?replace=1").status_code in (409, 500), name
    assert outside.read_bytes() == b"mine" and not (tmp_path / "new.png").exists()
    # A link in place of a folder, made after the start.
    os.rename(folder / "masks", tmp_path / "elsewhere")
    (folder / "masks").symlink_to(tmp_path / "elsewhere")
    assert post(http, "d").status_code == 500
    assert "d.png" not in os.listdir(tmp_path / "elsewhere")
    assert not (folder / "images/d.png").exists()


REFUSED = {
    "not a photo": (b"<html>", None, 422, "photo: not a readable image"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None, 422, "not a readable image"),
    "cut short": (photo()[:200], None, 422, "damaged or cut short"),
    "other size": (None, mask(size=(20, 25)), 422, "mask: 20 x 25 pixels; expected 20 x 24"),
    "no class": (None, mask(most=6), 422, "mask: the value 4; expected 0 to 3, or 255"),
    "colours": (None, np.zeros((*SIZE, 3), np.uint8), 422, "mask: a mask of type 'RGB'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_correction_is_refused_and_nothing_is_written(http, folder, case):
    given, labels, status, text = REFUSED[case]
    before = content(folder)
    reply = post(http, "a", given, labels)
    assert reply.status_code == status and text in reply.json()["detail"]
    assert content(folder) == before


def test_forms_hold_a_photo_and_a_mask_and_nothing_else(http, folder):
    one, other = ("p", photo()), ("m", png(mask()))
    forms = [
        {"photo": one},
        {"mask": other},
        {"photo": one, "other": other},
        [("photo", one), ("photo", one)],
        [("photo", one), ("mask", other), ("mask", other)],
        {"photo": one, "mask": ("m", b"")},
    ]
    for files in forms:
        assert http.post("/corrections/a", files=files).status_code == 400
    assert http.post("/corrections/a", content=photo()).status_code == 415
    assert http.post("/corrections/a", json={"photo": "x"}).status_code == 415
    many = {f"field{i}": "x" for i in range(9)}
    reply = http.post("/corrections/a", files={"photo": one, "mask": other}, data=many)
    assert reply.status_code == 400 and "expected 2 files" in reply.json()["detail"]
    assert content(folder) == ["classes.txt"]


def test_parameters(http):
    for query in ("?replace=2", "?x=1", "?replace=1&replace=1"):
        assert post(http, query=query).status_code == 400
    assert post(http, query="?model=none").status_code == 404
    assert post(http, "b", query="?model=other&replace=0").status_code == 201


def test_a_large_mask_of_few_bytes_is_refused_by_its_header(models, folder):
    service = make_service(models, settings=Settings(corrections=folder), max_pixels=10_000)
    bomb = np.zeros((200, 200), np.uint8)
    reply = post(client(service), labels=bomb)
    assert reply.status_code == 422 and "at most 10,000" in reply.json()["detail"]
    small = make_service(models, settings=Settings(corrections=folder), memory=2**20)
    reply = post(client(small))
    assert reply.status_code == 422 and "the memory given is 896.0 KiB" in reply.json()["detail"]


def test_a_long_body_is_refused(models, folder):
    service = make_service(models, settings=Settings(corrections=folder), max_body=1000)
    assert post(client(service)).status_code == 413


def test_pages_of_others_and_requests_without_the_key_are_refused(models, folder):
    access = Access(key="0123456789abcdef")
    http = client(make_service(models, access, Settings(corrections=folder)))
    assert post(http).status_code == 401
    key = {"Authorization": "Bearer 0123456789abcdef"}
    assert post(http, headers=key | {"Origin": "http://evil.example"}).status_code == 403
    assert post(http, headers=key | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert post(http, headers=key | {"Host": "evil.example"}).status_code == 403
    assert content(folder) == ["classes.txt"]
    assert post(http, headers=key).status_code == 201


def test_a_server_without_the_option_saves_nothing(models):
    http = client(make_service(models))
    assert post(http).status_code == 404
    assert "/corrections/{name}" not in http.get("/openapi.json").json()["paths"]


def test_equal_names_at_the_same_time_are_given_once(models, folder):
    model = models["street"].model
    opened = open_folder(folder, model.classes, model.palette)
    done, failed = [], []

    def save(seed):
        try:
            done.append(opened.save("a", ".png", photo(seed), mask(seed)))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=save, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1 and len(failed) == 7
    saved = np.asarray(Image.open(folder / "masks/a.png"))
    seed = next(seed for seed in range(8) if (folder / "images/a.png").read_bytes() == photo(seed))
    assert (saved == mask(seed)).all()


def test_a_photo_that_cannot_be_written_leaves_no_mask(models, folder, monkeypatch):
    from fullconv.serving import _corrections

    model = models["street"].model
    opened = open_folder(folder, model.classes, model.palette)
    real = _corrections.write_new

    def fail(path, data):
        if path.parent.name == "images":
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(_corrections, "write_new", fail)
    with pytest.raises(OSError, match="No space"):
        opened.save("a", ".png", photo(), mask())
    assert content(folder) == ["classes.txt"]


def test_folders_that_cannot_be_used(tmp_path):
    palette = ((0, 0, 0), (255, 0, 0))
    open_folder(tmp_path / "a", ("x", "y"), palette)
    open_folder(tmp_path / "a", ("x", "y"), palette)  # again
    with pytest.raises(ConfigError, match="has the classes x, y, and the model x, z"):
        open_folder(tmp_path / "a", ("x", "z"), palette)
    with pytest.raises(ConfigError, match="is a file"):
        open_folder(tmp_path / "a" / "classes.txt", ("x",), palette[:1])
    (tmp_path / "b/images").mkdir(parents=True)
    (tmp_path / "b/images/1.png").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"holds images and no classes\.txt"):
        open_folder(tmp_path / "b", ("x", "y"), palette)
    (tmp_path / "c").mkdir()
    (tmp_path / "c/masks").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="masks"):
        open_folder(tmp_path / "c", ("x", "y"), palette)


def test_classes_that_share_a_colour_get_others(tmp_path):
    opened = open_folder(tmp_path / "a", ("x", "y"), ((1, 2, 3), (1, 2, 3)))
    assert len({*opened.palette}) == 2


def test_a_folder_of_photos_takes_no_name(http, folder):
    (folder / "images" / "street").mkdir()
    (folder / "images" / "town.jpg").symlink_to(folder / "nothing")
    assert post(http, "street").status_code == 201
    assert post(http, "town").status_code == 201
    assert (folder / "images" / "street.png").read_bytes() == photo()
