"""Photos, rasters and videos are distinguished by the content of their files."""

import numpy as np
import pytest

from fullconv.batch.inputs import Input, detect_media
from fullconv.errors import ConfigError
from fullconv.io.images import write_image


def medium(where, **options):
    return detect_media([Input("x", str(where))], **options)[0].medium


@pytest.fixture
def photo(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((4, 5, 3), np.uint8))
    return tmp_path / "a.png"


def test_a_georeferenced_photo_or_one_with_bands_is_a_raster(photo):
    assert medium(photo) == "photo"
    assert medium(photo, rasters_only=True) == "raster"
    photo.with_suffix(".pgw").write_text("1\n0\n0\n-1\n0\n0\n")
    assert medium(photo) == "raster"


def test_a_picture_too_large_for_memory_is_a_raster(photo, monkeypatch):
    monkeypatch.setattr("fullconv.batch.inputs.MAX_PIXELS", 19)
    assert medium(photo) == "raster"
    monkeypatch.setattr("fullconv.batch.inputs.MAX_PIXELS", 20)
    assert medium(photo) == "photo"


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("film", b"\0\0\0\x18ftypisom", "video"),
        ("film.bin", b"\x1a\x45\xdf\xa3", "video"),
        ("film.mp4", b"nothing", "video"),  # reading it explains the problem
        ("photo.heic", b"\0\0\0\x18ftypheic", "photo"),
        ("photo.jpg", b"\0\0\0\x18ftypisom", "photo"),
        ("notes.txt", b"nothing", "photo"),
        ("empty", b"", "photo"),
    ],
)
def test_a_video_is_recognized_by_its_first_bytes_or_its_name(tmp_path, name, head, expected):
    (tmp_path / name).write_bytes(head)
    assert medium(tmp_path / name) == expected


def test_remote_and_missing_files_are_classified_by_name():
    assert medium("memory://bucket/film.MP4") == "video"
    assert medium("memory://bucket/a.tif") == medium("lost.tif") == "photo"
    with pytest.raises(ConfigError, match="bands can only be chosen for local files"):
        medium("memory://bucket/a.tif", rasters_only=True)
