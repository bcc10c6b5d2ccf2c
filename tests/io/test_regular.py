"""Only ordinary files are opened: a pipe without a writer would wait forever."""

import errno
import os
import socket

import pytest

from fullconv.batch.input_lists import read_list, read_manifest
from fullconv.data.discovery.json_keys import top_keys
from fullconv.data.formats._matlab import read_mat
from fullconv.errors import ConfigError, DataError, ImageError
from fullconv.io.images import peek_header, read_image
from fullconv.io.rasters import open_raster
from fullconv.io.regular import check_regular, open_regular, read_regular
from fullconv.io.settings_file import read_settings
from fullconv.io.text import read_json, read_utf8, read_xml, read_yaml
from fullconv.training.fingerprint import DataFingerprint


@pytest.fixture(params=["pipe", "socket", "link"])
def special(request, tmp_path):
    path = tmp_path / request.param
    if request.param == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.relpath(path))  # names of sockets are short
            yield path
        return
    os.mkfifo(tmp_path / "pipe")
    if request.param == "link":
        path.symlink_to("pipe")
    yield path


@pytest.mark.parametrize("action", [open_regular, read_regular, check_regular])
def test_a_pipe_or_a_socket_is_not_opened(special, action):
    with pytest.raises(OSError, match="a pipe or a device") as caught:
        action(special)
    assert caught.value.errno == errno.ENXIO and caught.value.filename == str(special)


READERS = [
    *(read_utf8, read_yaml, read_json, read_xml, read_settings, read_image, peek_header),
    *(lambda path: read_list(str(path)), lambda path: list(read_manifest(path))),
    lambda path: read_mat(path, "labels"),
]


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_a_pipe_by_name(special, reader):
    with pytest.raises((DataError, ConfigError, ImageError), match=special.name):
        reader(special)


def test_a_raster_that_is_a_pipe_is_refused(special):
    pytest.importorskip("rasterio", reason="needs rasterio, the extra [geo]")
    with pytest.raises(ImageError, match="a pipe or a device"), open_raster(special):
        pass


def test_what_is_only_looked_into_has_nothing_inside(special):
    assert top_keys(special) == {} and DataFingerprint.read(special) is None


def test_a_link_to_an_ordinary_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"text"


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
