"""Fingerprints identify models."""

import pytest

from fullconv.errors import WeightsError
from fullconv.weights.fingerprint import file_fingerprint
from photos import write_model


def test_equal_bytes_give_equal_fingerprints(tmp_path):
    path = write_model(tmp_path / "model.safetensors")
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(path.read_bytes())
    assert file_fingerprint(copy) == file_fingerprint(path)
    assert file_fingerprint(write_model(tmp_path / "m.safetensors", seed=2)) != file_fingerprint(
        path
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="nowhere: there is no such model file"):
        file_fingerprint(tmp_path / "nowhere")
