"""Unusual and damaged image files are read, or refused with a message that names them.

Each case is one file. As a photo and as a mask it is either read, or refused with the given words.
Every case goes through the readers, and through check, predict and train.
"""

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fullconv.cli import run
from fullconv.data.formats import open_data
from fullconv.errors import DataError, ImageError
from fullconv.io.images import decode_image, read_image, read_mask
from fullconv.model import Model
from fullconv.networks.fcn import create_model

SIZE = (40, 48)
CLASSES = ("road", "sky", "tree")


def labels(size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 3, size).astype(np.uint8)


def colors(size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def save(array, kind="PNG", mode=None, **options):
    def write(path):
        picture = Image.fromarray(array)
        (picture.convert(mode) if mode else picture).save(path, kind, **options)

    return write


def content(data):
    return lambda path: path.write_bytes(data)


def frames(kind):
    first, *more = [Image.fromarray(colors(seed=seed)) for seed in range(3)]
    return lambda path: first.save(path, kind, save_all=True, append_images=more)


def cut(kind):
    def write(path):
        Image.fromarray(colors((200, 200))).save(path, kind)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return write


def palette(path):
    """Write indexed colours, some of them half transparent."""
    picture = Image.fromarray(labels())
    picture.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    picture.save(path, "PNG", transparency=bytes([0, 128, 255]))


def chunk(tag, body):
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def png(height, width, depth, kind, rows):
    """Encode a PNG: Pillow writes neither 16-bit colours nor decompression bombs."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_colors(path):
    values = (colors().astype(">u2") * 257).reshape(SIZE[0], -1)
    path.write_bytes(png(*SIZE, 16, 2, b"".join(b"\0" + row.tobytes() for row in values)))


def nan(path):
    values = np.full(SIZE, 0.5, np.float32)
    values[3, 4] = np.nan
    Image.fromarray(values).save(path, "TIFF")


def locked(path):
    save(colors())(path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")


@dataclass(frozen=True)
class Case:
    """A file, and the words that refuse it as a photo and as a mask ("" if it is read)."""

    write: Callable[[Path], object]
    name: str = "bad.png"
    photo: str = ""
    mask: str = ""
    jpeg: bool = False  # refused as a mask for training only
    ranged: bool = False  # read as a photo of a training set, whose value range it gives


DEEP = "more than 8 bits a channel"
CUT = "damaged or cut short"
WHOLE = "expected 8-bit or 16-bit whole numbers"
CASES = {
    "16 bits": Case(save(labels().astype(np.uint16)), photo=DEEP, ranged=True),
    "16 bits, TIFF": Case(save(labels().astype(np.uint16), "TIFF"), "bad.tif", photo=DEEP),
    "32 bits": Case(save(labels().astype(np.int32), "TIFF"), "bad.tif", photo=DEEP),
    "16-bit colours": Case(deep_colors, photo=DEEP, mask="more than 8 bits a channel"),
    "float": Case(save(np.ones(SIZE, np.float32), "TIFF"), "bad.tif", DEEP, WHOLE, ranged=True),
    "NaN": Case(nan, "bad.tif", photo=DEEP, mask=WHOLE),
    "CMYK": Case(save(colors(), "JPEG", "CMYK"), "bad.jpg", jpeg=True),
    "LA": Case(save(labels(), mode="LA")),
    "RGBA": Case(save(np.dstack([*[labels()] * 3, 255 - labels()]))),
    "RGBA, transparent": Case(
        save(np.dstack([labels()] * 4)), mask="transparent pixels in a mask, whose class"
    ),
    "LAB": Case(save(colors(), "TIFF", "LAB"), "bad.tif", photo="'LAB'", mask=WHOLE),
    "palette with transparency": Case(palette),
    "1 bit": Case(save(labels() * 255, mode="1")),
    "animated GIF": Case(frames("GIF"), photo="a GIF file", mask="a GIF file"),
    "animated PNG": Case(frames("PNG"), photo="3 images in one", mask="3 images in one"),
    "animated WebP": Case(
        frames("WEBP"), "bad.webp", photo="3 images in one", mask="3 images in one"
    ),
    "pages": Case(frames("TIFF"), "bad.tif", photo="3 images in one", mask="3 images in one"),
    "1 x 1": Case(save(labels((1, 1)))),
    "1 x 5000": Case(save(labels((1, 5000)))),
    "5000 x 1": Case(save(labels((5000, 1)))),
    "bomb": Case(
        content(png(60_000, 60_000, 8, 0, b"\0" * 99)),
        photo="more than 250 million pixels by its header",
        mask="more than 250 million pixels by its header",
    ),
    "0 pixels": Case(
        content(png(0, 5, 8, 0, b"")), photo="not a readable image", mask="not a readable image"
    ),
    "zero bytes": Case(content(b""), photo="an empty file", mask="an empty file"),
    "text": Case(content(b"hello"), photo="not a readable image", mask="not a readable image"),
    "cut PNG": Case(cut("PNG"), photo=CUT, mask=CUT),
    "cut JPEG": Case(cut("JPEG"), "bad.jpg", photo=CUT, mask=CUT, jpeg=True),
    "a JPEG called .png": Case(save(colors(), "JPEG"), jpeg=True),
    "a PNG called .jpg": Case(save(labels()), "bad.jpg", jpeg=True),
    "unreadable": Case(locked, photo="cannot be opened", mask="cannot be opened"),
    "broken link": Case(
        lambda path: path.symlink_to("nowhere.png"),
        photo=r"no such file; it is a link to nowhere\.png",
        mask=r"no such file; it is a link to nowhere\.png",
    ),
    "looping link": Case(
        lambda path: path.symlink_to(path.name),
        photo="cannot be opened .*symbolic links",
        mask="cannot be opened .*symbolic links",
    ),
    "pipe": Case(os.mkfifo, photo="a folder or a device", mask="a folder or a device"),
    "blanks": Case(save(labels()), "a  b c.png"),
    "umlauts": Case(save(labels()), "Straße über Ö.png"),
    "emoji": Case(save(labels()), "dog \N{DOG}\N{ZERO WIDTH JOINER}.png"),
    "line break": Case(save(labels()), "two\nlines.png"),
}


def is_one_line(text, name):
    shown = name.replace("\n", "\\n")
    return shown in text and "\n" not in text and "Traceback" not in text


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def test_a_photo_is_read_or_refused(tmp_path, case):
    path = tmp_path / case.name
    case.write(path)
    if not case.photo:
        image = read_image(path)
        assert image.shape[2] == 3 and image.dtype == np.uint8 and image.size
        assert np.array_equal(image, decode_image(path.read_bytes(), str(path)))
        return
    with pytest.raises(ImageError, match=case.photo) as caught:
        read_image(path)
    assert is_one_line(str(caught.value), case.name)
    if path.is_file() and path.stat().st_size:
        with pytest.raises(ImageError, match=case.photo):
            decode_image(path.read_bytes(), str(path))


def test_a_mask_is_read_or_refused(tmp_path, case):
    path = tmp_path / case.name
    case.write(path)
    if not case.mask:
        raw = read_mask(path)
        assert raw.size and raw.dtype.kind in "ui" and raw.shape[2:] in ((), (3,))
        return
    with pytest.raises(ImageError, match=case.mask) as caught:
        read_mask(path)
    assert is_one_line(str(caught.value), case.name)


@pytest.mark.parametrize("name", ["16 bits", "LA", "RGBA", "palette with transparency"])
def test_all_kinds_of_masks_keep_the_labels(tmp_path, name):
    folder = write_data_set(tmp_path, CASES[name], "masks")
    data = open_data(folder)
    assert np.array_equal(data[data.names.index("bad")].labels, labels())


def test_transparency_is_ignored(tmp_path):
    palette(tmp_path / "a.png")
    index = labels().astype(int)
    expected = np.stack([index, 255 - index, np.full(SIZE, 7)], 2)
    assert np.array_equal(read_image(tmp_path / "a.png"), expected)


def write_data_set(folder, case, kind):
    """Write a data set of four good pairs, and one with `case` as its image or mask."""
    for name in "abcd":
        for subfolder, array in (("images", colors(seed=ord(name))), ("masks", labels())):
            (folder / subfolder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / subfolder / f"{name}.png")
    other = {"images": "masks", "masks": "images"}[kind]
    path = folder / kind / case.name
    case.write(path)
    size = SIZE
    try:
        with Image.open(path if not path.is_fifo() else os.devnull) as picture:
            size = picture.size[::-1]
    except (OSError, ValueError, Image.DecompressionBombError):
        pass
    size = size if size[0] * size[1] < 10**6 else SIZE
    array = labels(size) if other == "masks" else colors(size)
    Image.fromarray(array).save((folder / other / case.name).with_suffix(".png"), "PNG")
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    return folder


QUICK = ["16 bits", "float", "animated GIF", "bomb", "zero bytes", "cut PNG", "looping link"]
QUICK += ["broken link", "pipe", "line break", "1 x 1", "1 x 5000", "emoji", "CMYK"]


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("name", QUICK)
def test_check_names_the_file_and_checks_the_others(tmp_path, capsys, name, kind):
    case = CASES[name]
    folder = write_data_set(tmp_path / "set", case, kind)
    truncated = folder / "images" / "d.png"
    truncated.write_bytes(truncated.read_bytes()[:300])
    code = run(["check", str(folder), "--out", str(tmp_path / "runs")])
    out = capsys.readouterr().out
    assert code == 4  # d.png is always an error
    assert "d.png" in out and "5" in out
    refused = case.photo if kind == "images" else case.mask
    if refused:
        assert case.name.replace("\n", "\\n") in out


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    network = create_model("fcn32s-vgg11", 3, width=1 / 16, hidden=8)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    Model(network, CLASSES).save(path)
    return path


@pytest.mark.parametrize("name", QUICK)
def test_predict_names_the_file_and_predicts_the_others(tmp_path, capsys, model, name):
    case = CASES[name]
    photos = tmp_path / "photos"
    photos.mkdir()
    save(colors())(photos / "good.png")
    case.write(photos / case.name)
    out = tmp_path / "out"
    inputs = [str(photos / "good.png"), str(photos / case.name)]
    if name in ("broken link", "looping link"):  # naming a missing file is a mistake
        inputs = [str(photos)]
    code = run(["predict", str(model), *inputs, "--out", str(out), "--save", "labels"])
    text = "".join(capsys.readouterr())
    assert "Traceback" not in text
    assert (out / "labels" / "good.png").is_file()
    if case.photo and name not in ("broken link", "looping link", "pipe"):
        assert case.name in text
    if not case.photo:
        assert code == 0
        assert len(list((out / "labels").iterdir())) == 2


@pytest.mark.parametrize("kind", ["images", "masks"])
@pytest.mark.parametrize("name", QUICK)
def test_training_reads_the_data_or_names_the_file(tmp_path, name, kind):
    """Training reads each sample of the data set; one bad file does not hide another."""
    case = CASES[name]
    folder = write_data_set(tmp_path, case, kind)
    photo = "" if case.ranged else case.photo
    refused = photo if kind == "images" else case.mask or ("JPEG" if case.jpeg else "")
    read, failed = [], []
    try:
        data = open_data(folder)
    except DataError as error:
        failed.append(str(error))
        data = ()
    for index in range(len(data)):
        try:
            read.append(data[index].name)
        except DataError as error:
            failed.append(str(error))
    if refused:
        assert len(failed) == 1 and is_one_line(failed[0], case.name)
        assert not data or len(read) == 4
    else:
        assert not failed and len(read) == 5
        assert not any(ord(letter) < 32 for letter in "".join(read))


@pytest.mark.parametrize("name", ["zero bytes", "line break"])
def test_train_succeeds_or_names_the_file(tmp_path, capsys, name):
    case = CASES[name]
    folder = write_data_set(tmp_path / "set", case, "images")
    for split in ("train", "val"):
        (folder / f"{split}.txt").write_text("a\nb\nc\nd\n" + case.name.replace("\n", "_")[:-4])
    command = ["train", str(folder), "--model", "fcn32s-vgg11", "--width", "0.0625", "--steps", "1"]
    code = run([*command, "--out", str(tmp_path / "runs"), "--quiet"])
    text = "".join(capsys.readouterr())
    assert "Traceback" not in text
    assert code == (2 if case.photo else 0)
    assert case.name in text or not case.photo
