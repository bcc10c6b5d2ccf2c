"""Complete parts are stored and computed only once."""

import os

import pytest

from fullconv.batch.rasters.parts import open_parts
from fullconv.errors import ConfigError, OutputError

JOB = {"model": "a", "size": (3, 4)}


def begin(folder, job=JOB, plan=None, fresh=False):
    return open_parts(folder / "big.tif", job, lambda: plan or {"rows": 5}, fresh)


def test_a_stored_part_is_reused(tmp_path):
    content = [os.urandom(1000), bytes(300_000)]
    with begin(tmp_path) as parts:
        assert not parts.resumed and not parts.has(3)
        parts.keep(3, content, (7, 2))
    with begin(tmp_path, plan={"rows": 99}) as parts:
        assert parts.resumed and parts.has(3) and not parts.has(2)
        assert parts.plan == {"rows": 5}
        assert b"".join(parts.read(3)) == b"".join(content) and parts.counts(3) == (7, 2)
        parts.clear()
    assert os.listdir(tmp_path) == []


def test_without_parts_the_folder_is_removed(tmp_path):
    with pytest.raises(ValueError), begin(tmp_path):
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_an_incomplete_part_is_not_used(tmp_path):
    def pieces():
        yield b"some"
        raise ValueError

    with begin(tmp_path) as parts:
        parts.keep(0, [b"one"])
        with pytest.raises(ValueError):
            parts.keep(1, pieces())
        assert not parts.has(1)
        (parts.folder / ".000001.part.12345678.tmp").write_bytes(b"of a killed process")
    with begin(tmp_path) as parts:
        left = sorted(path.name for path in parts.folder.iterdir())
        assert left == ["000000.part", "job.json", "lock"]


def test_another_job_is_refused_unless_fresh(tmp_path):
    with begin(tmp_path) as parts:
        parts.keep(0, [b"one"])
    other = {**JOB, "model": "b"}
    with (
        pytest.raises(
            ConfigError,
            match=r"big.tif was started with other settings: model was a and is b;.*--f",
        ),
        begin(tmp_path, other),
    ):
        pass
    with begin(tmp_path, other, fresh=True) as parts:
        assert not parts.resumed and not parts.has(0)


def test_two_processes_at_once_are_refused(tmp_path):
    with begin(tmp_path) as parts:
        parts.keep(0, [b"one"])
        with (
            pytest.raises(ConfigError, match=r"another .* is writing .*big.tif; wait"),
            begin(tmp_path),
        ):
            pass
        assert parts.has(0)


def test_parts_without_a_job_are_not_used(tmp_path):
    folder = tmp_path / ".big.tif.parts"
    folder.mkdir()
    (folder / "000000.part").write_bytes(b"whose?")
    (folder / "job.json").write_text("[]")
    with begin(tmp_path) as parts:
        assert not parts.has(0)


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_part_is_removed(tmp_path, damage):
    with begin(tmp_path) as parts:
        parts.keep(0, [os.urandom(5000)])
        path = next(parts.folder.glob("*.part"))
        content = bytearray(path.read_bytes())
        content[2000] ^= 255
        path.write_bytes(content[:-100] if damage == "cut" else content)
        with pytest.raises(
            OutputError, match=r"was damaged .* has been removed; run the command again"
        ):
            b"".join(parts.read(0))
        assert not parts.has(0)
