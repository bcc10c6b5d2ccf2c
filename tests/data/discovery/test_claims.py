from pathlib import Path

import pytest

from fullconv.data.discovery.claims import photos_of_claims
from fullconv.data.discovery.files import locate_beside, locate_in

ROOT, CAM = Path("d/images/a.png"), Path("d/images/cam1/a.png")


@pytest.mark.parametrize(
    ("claims", "photos"),
    [
        ([("/home/me/cam1/a.png", ROOT), ("b.png", None)], [ROOT, None]),
        ([("cam1/a.png", CAM), ("/data/a.png", CAM)], [CAM, None]),
        ([("a.png", ROOT), ("cam1/a.png", ROOT)], [ROOT, None]),
        ([("cam1/a.png", ROOT), ("cam2/a.png", ROOT)], [None, None]),
        ([("x/a.png", ROOT), ("x\\a.png", ROOT)], [ROOT, ROOT]),  # one photo twice
        ([("a.png", ROOT), ("images/a.png", ROOT)], [ROOT, ROOT]),
    ],
)
def test_a_photo_is_that_of_the_record_with_its_whole_path(claims, photos):
    assert photos_of_claims(claims) == photos


def files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("present", "name", "found"),
    [
        (["b/cam1/a.png", "a/a.png"], "cam1/a.png", "b/cam1/a.png"),  # the longest end
        (["a/a.png", "b/a.png"], "a.png", "a/a.png"),  # of the first folder
        (["a/a.png"], "/home/me/cam1/a.png", "a/a.png"),
        (["a/a.png", "b/cam1/b.png"], "cam1/a.png", None),  # cam1 is there, without a.png
        (["a/a.png", "b/images/b.png"], "images/a.png", "a/a.png"),  # a customary name
        (["a/cam1/b.png"], "cam2/cam1/a.png", None),
        (["c/a.png"], "../c/a.png", None),
    ],
)
def test_the_longest_end_in_several_folders(tmp_path, present, name, found):
    files(tmp_path, *present)
    places = (tmp_path / "a", tmp_path / "b")
    assert locate_in(places, name) == (found and tmp_path / found)


def test_folders_of_images_are_looked_through_for_the_whole_path_first(tmp_path):
    files(tmp_path, "images/cam1/a.png", "images/a.png", "a.json")
    assert locate_beside(tmp_path, "cam1/a.png", tmp_path) == tmp_path / "images/cam1/a.png"
    (tmp_path / "images/cam1/a.png").unlink()
    assert locate_beside(tmp_path, "cam1/a.png", tmp_path) is None
