"""Which model it is."""

from fullconv.batch.fingerprint import file_fingerprint
from photos import write_model


def test_a_model_is_known_by_its_bytes(tmp_path):
    path = write_model(tmp_path / "here.safetensors")
    copy = tmp_path / "copied.safetensors"
    copy.write_bytes(path.read_bytes())
    assert file_fingerprint(copy) == file_fingerprint(path)
    assert file_fingerprint(write_model(tmp_path / "m.safetensors", 1)) != file_fingerprint(path)
