import pytest
from hypothesis import given
from hypothesis.strategies import integers

from fullconv import hardware as memory
from fullconv.errors import ConfigError
from fullconv.hardware import enough, free_memory, in_words, parse_memory


@pytest.mark.parametrize(
    "text,size",
    [
        *(("2GiB", 2**31), ("2 GB", 2**31), ("512M", 2**29), ("1.5g", 3 * 2**29)),
        *(("100", 100), (4096, 4096), ("1 KiB", 1024), ("3T", 3 * 2**40)),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("wrong", ["", "GiB", "-1", "0", "two GiB", "1,5 GiB", "2 GiB more", -5])
def test_what_is_no_size_is_refused(wrong):
    with pytest.raises(ConfigError, match="such as 2GiB"):
        parse_memory(wrong)


def test_sizes_are_said():
    assert [in_words(size) for size in (5, 1536, 2**20, 2.5 * 2**30, 3 * 2**40)] == [
        *("5 B", "1.5 KiB", "1.0 MiB", "2.5 GiB", "3072.0 GiB")
    ]


@given(integers(1, 2**45))
def test_a_memory_of_what_is_said_to_be_enough_is_enough(size):
    assert size <= parse_memory(enough(size)) <= max(1.1 * size, size + 103)


def test_there_is_free_memory():
    assert 2**20 < free_memory() < 2**50


def test_a_container_may_have_less_than_the_machine(tmp_path, monkeypatch):
    (tmp_path / "limit").write_text("5000\n")
    (tmp_path / "used").write_text("2000\n")
    files = (str(tmp_path / "limit"), str(tmp_path / "used"))
    assert memory._left(*files) == 3000
    (tmp_path / "limit").write_text("max\n")
    assert memory._left(*files) is None
    assert memory._left(str(tmp_path / "none"), files[1]) is None
    monkeypatch.setattr(memory, "_groups", lambda: [None, 3000])
    assert free_memory() == 3000
