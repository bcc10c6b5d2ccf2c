"""The files of teachers' predictions are those that the cache's commands show and clear."""

import pytest

from fullconv.io.caches import VARIABLE, cache_folder, cached_files, clear_cached
from fullconv.training.teacher_files import (
    FILES,
    PART,
    prediction_file,
    teacher_folder,
    teacher_folders,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def test_every_prediction_is_a_file_of_the_cache(cache):
    written = []
    for facts in (["a", 1.5, None], ["b"]):
        for index in (0, 7, 999_999, 1_000_000):
            path = prediction_file(teacher_folder(facts), index)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"12345")
            written.append(path)
    assert cached_files(PART, FILES) == sorted(written)
    assert sorted(teacher_folders(cache_folder(PART))) == sorted({p.parent for p in written})
    assert clear_cached(PART, FILES) == 5 * len(written)
    assert not (cache / "teachers").exists()


@pytest.mark.parametrize("name", ["notes/000000.z", "0123456789abcdef/notes.txt", "0123/000000.z"])
def test_other_files_are_not_the_teachers(cache, name):
    path = cache / "teachers" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert clear_cached(PART, FILES) == 0 and path.exists()


def test_folders_follow_from_what_predictions_depend_on():
    assert teacher_folder(["a", 1]) == teacher_folder(["a", 1]) != teacher_folder(["a", 2])
