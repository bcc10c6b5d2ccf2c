"""A record is in the journal as a whole, or not at all."""

import errno
import os

import pytest

from fullconv.batch import journal
from fullconv.batch.journal import Journal
from fullconv.batch.manifest import FailureRecord, JobDescription, read_records
from fullconv.errors import OutputError
from fullconv.io.storage import Folder

JOB = JobDescription("model", {}, ("a",), 3, "ids")


def record(name):
    return FailureRecord(name, name, "error")


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_write_that_fails_half_way_leaves_no_fragment(tmp_path, monkeypatch, failing):
    place, write = Folder(tmp_path), os.write

    def write_half(file, content):
        return write(file, content[: len(content) // 2])

    def fail(file):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Journal(place, JOB) as opened:
        opened.add(record("1"))
        before = (tmp_path / "journal.jsonl").read_bytes()
        with monkeypatch.context() as patch, pytest.raises(OutputError):
            patch.setattr(journal.os, failing, {"write": write_half, "fsync": fail}[failing])
            opened.add(record("2"))
        assert (tmp_path / "journal.jsonl").read_bytes() == before
        opened.add(record("3"))
    assert [*read_records(place, JOB)] == ["1", "2", "3"]
