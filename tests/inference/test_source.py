"""Arrays and PIL images follow the rules of image files: read correctly, or refused."""

import io

import numpy as np
import pytest
from PIL import Image

from exif_photos import photo, write_rotated
from fullconv.errors import ImageError, MemoryBudgetError
from fullconv.inference import source
from fullconv.io import images

GREY = photo()[..., 0]


def read_source(given):
    return source.read_source(given).image


def test_grey_and_coloured_arrays_are_read():
    assert (read_source(photo()) == photo()).all()
    for grey in (GREY, GREY[..., None]):
        assert (read_source(grey) == np.repeat(GREY[..., None], 3, 2)).all()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO, open])
def test_bytes_and_open_files_are_read(kind, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(photo()).save(path)
    given = path.open("rb") if kind is open else kind(path.read_bytes())
    assert (read_source(given) == photo()).all()
    if kind is open:
        given.close()


def test_bytes_count_as_memory_and_are_named_in_errors(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(photo(300, 300)).save(path)
    with pytest.raises(MemoryBudgetError, match="the bytes: reading an image of 300 x 300"):
        source.read_source(path.read_bytes(), memory=1000)
    with pytest.raises(ImageError, match="the bytes: not a readable image"):
        read_source(b"GIF is not this")
    with pytest.raises(ImageError, match="the bytes: an empty file"):
        read_source(b"")
    (tmp_path / "text.png").write_text("text")
    with (tmp_path / "text.png").open() as file, pytest.raises(ImageError, match="binary mode"):
        read_source(file)
    with (tmp_path / "text.png").open("rb") as file, pytest.raises(ImageError, match=r"text\.png"):
        read_source(file)


@pytest.mark.parametrize("shape", [(6, 9), (1, 1), (5, 1), (1, 5)])
def test_array_views_are_read(shape):
    image = photo(*shape)
    image.flags.writeable = False
    for view in (image[:, ::-1], image[::-1], image[..., ::-1], image):
        found = read_source(view)
        assert (found == view).all()
        assert found.flags.writeable and found.flags.c_contiguous and min(found.strides) > 0


FLOATS = photo() / 255
WRONG_ARRAYS = {
    "uint16": (photo().astype(np.uint16) * 257, r"uint16 with values from \d+ to \d+.*black"),
    "negative": (photo().astype(np.int32) - 300, r"int32 with values from -\d+"),
    "floats in [0, 1]": (FLOATS, r"float64 with values from 0.*\(array \* 255\)"),
    "floats in [0, 255]": (photo().astype(np.float32), "float32 with values .*choose"),
    "floats in [-1, 1]": (FLOATS * 2 - 1, "with values from -.*choose"),
    "NaN": (np.where(FLOATS > 0.5, np.nan, FLOATS), "some of them not finite.*choose"),
    "only NaN": (np.full((4, 5), np.nan), "without a finite value"),
    "infinite": (np.where(FLOATS > 0.5, np.inf, FLOATS), "some of them not finite.*choose"),
    "bool": (GREY > 99, "type bool.*astype"),
    "channels first": (photo().transpose(2, 0, 1), r"\(3, 6, 9\).*transpose\(1, 2, 0\)"),
    "four channels": (np.zeros((4, 5, 4), np.uint8), r"\(4, 5, 4\).*red, green and blue"),
    "two channels": (np.zeros((4, 5, 2), np.uint8), r"\(4, 5, 2\)"),
    "a batch": (photo()[None], r"\(1, 6, 9, 3\).*one by one"),
    "a row": (GREY[0], r"shape \(9,\)"),
    "empty": (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
    "masked": (np.ma.masked_equal(GREY, GREY[0, 0]), "fill the masked values"),
    "objects": (np.zeros((4, 4), object), "type object"),
}


@pytest.mark.parametrize("what", WRONG_ARRAYS)
def test_other_arrays_are_refused(what):
    array, message = WRONG_ARRAYS[what]
    with pytest.raises(ImageError, match=message) as caught:
        read_source(array)
    assert "of type uint8" in str(caught.value) and "\n" not in str(caught.value)


DEEP = [
    Image.fromarray(GREY.astype(np.uint16) * 200),
    Image.fromarray(GREY.astype(np.int32) * 200),
    Image.fromarray(GREY.astype(np.float32) / 255),
]


@pytest.mark.parametrize("picture", DEEP, ids=lambda picture: picture.mode)
def test_deep_pil_images_are_refused_like_their_files(tmp_path, picture):
    picture.save(tmp_path / "x.tif")
    with pytest.raises(ImageError) as of_file:
        read_source(tmp_path / "x.tif")
    with pytest.raises(ImageError) as of_object:
        read_source(picture)
    assert of_object.value.found == of_file.value.found
    assert of_object.value.expected == of_file.value.expected


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "PA", "1", "CMYK"])
def test_eight_bit_pil_images_are_read_like_their_files(tmp_path, mode):
    picture = Image.fromarray(photo()).convert(mode if mode != "PA" else "P")
    if mode == "PA":
        picture = picture.convert("PA")
        assert read_source(picture).shape == (6, 9, 3)
        return
    picture.save(tmp_path / "a.tif")
    assert (read_source(picture) == images.read_image(tmp_path / "a.tif")).all()


@pytest.mark.parametrize("mode", ["HSV", "LAB"])
def test_other_colour_spaces_are_refused(mode):
    picture = Image.new(mode, (4, 5))
    with pytest.raises(ImageError, match=f"type '{mode}'"):
        read_source(picture)


def test_pil_images_are_rotated_by_exif(tmp_path):
    write_rotated(tmp_path / "a.png", photo(), 6)
    with Image.open(tmp_path / "a.png") as picture:
        assert (read_source(picture) == images.read_image(tmp_path / "a.png")).all()


def test_a_pil_image_of_several_pages_is_refused_but_not_a_copy_of_one(tmp_path):
    pages = [Image.fromarray(photo(seed=seed)) for seed in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with Image.open(tmp_path / "a.tif") as picture:
        with pytest.raises(ImageError, match=r"3 images in one file.*picture.copy\(\)"):
            read_source(picture)
        picture.seek(1)
        assert (read_source(picture.copy()) == photo(seed=1)).all()


def test_broken_and_empty_pil_images_are_refused():
    stream = io.BytesIO()
    Image.fromarray(photo(300, 300)).save(stream, "PNG")
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_source(Image.open(io.BytesIO(stream.getvalue()[:5000])))
    with pytest.raises(ImageError, match="0 x 0 pixels"):
        read_source(Image.new("RGB", (0, 0)))


@pytest.mark.parametrize("source", [3, None, [1], {}])
def test_other_objects_are_refused(source):
    with pytest.raises(
        ImageError,
        match=r"expected a path, .* bytes, a NumPy array, a PIL image, or a list of these",
    ):
        read_source(source)


@pytest.mark.parametrize("orientation", [1, 6])
def test_of_a_phones_multi_picture_file_the_first_picture_is_read(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    first, small = Image.fromarray(photo(80, 120)), Image.fromarray(photo(8, 12, seed=1))
    first.save(tmp_path / "a.jpg", "JPEG", exif=exif)
    first.save(tmp_path / "b.jpg", "MPO", save_all=True, append_images=[small], exif=exif)
    expected = images.read_image(tmp_path / "a.jpg")
    assert (images.read_image(tmp_path / "b.jpg") == expected).all()
    assert (images.decode_image((tmp_path / "b.jpg").read_bytes(), "b") == expected).all()
    with Image.open(tmp_path / "b.jpg") as picture:
        assert picture.format == "MPO" and (read_source(picture) == expected).all()
    assert images.read_header(tmp_path / "b.jpg") == images.read_header(tmp_path / "a.jpg")
    for name in "ab":  # the thumbnail is that of the first picture, too
        header, grey, opaque = images.read_thumbnail(tmp_path / f"{name}.jpg", (8, 8))
        assert header.frames == 1 and grey.shape == (8, 8) and opaque == 1
    content = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(content[:-100])  # the second picture is damaged
    assert (images.read_image(tmp_path / "b.jpg") == expected).all()
