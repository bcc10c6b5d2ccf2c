"""Triton's own message parses the configuration, which agrees with the file."""

import pytest

import export_models
from fullconv.errors import ConfigError, ExportError
from fullconv.export.targets import Wanted, targets
from fullconv.export.targets.triton import config
from fullconv.inference.exported_file import open_exported


def write(path, size=None):
    wanted = Wanted(export_models.model(), path, path, export_models.photos((70, 90)), size)
    return targets["triton"].write(wanted)


@pytest.fixture(scope="module", params=[None, (48, 64)], ids=["any size", "one size"])
def written(request, tmp_path_factory):
    """Return the folder of a model, what was written, and its size."""
    path = tmp_path_factory.mktemp("repository") / "street"
    return path, write(path, request.param), request.param


def parsed(path):
    messages = pytest.importorskip(
        "tritonclient.grpc.model_config_pb2", reason="tritonclient parses the configuration"
    )
    from google.protobuf import text_format

    return text_format.Parse((path / "config.pbtxt").read_text(), messages.ModelConfig())


def test_the_folder(written):
    path, found, size = written
    files = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    assert files == ["1/model.onnx", "classes.txt", "config.pbtxt"]
    assert (path / "classes.txt").read_text().split() == list(export_models.CLASSES)
    assert found.parity.difference <= 1e-4
    description = open_exported(path / "1" / "model.onnx").description
    assert description.fixed == size and description.classes == export_models.CLASSES


def test_triton_parses_the_configuration(written):
    path, _, size = written
    found = parsed(path)
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path / "1" / "model.onnx")
    assert (found.name, found.backend) == ("street", "onnxruntime")
    pairs = [(found.input, session.get_inputs()), (found.output, session.get_outputs())]
    for (mine,), (theirs,) in pairs:
        assert mine.name == theirs.name and mine.data_type == 11  # TYPE_FP32
        dims = [dim if isinstance(dim, int) else -1 for dim in theirs.shape]
        if found.max_batch_size:
            dims = dims[1:]
        channels = 0 if found.max_batch_size else 1
        known = [*mine.dims]
        if dims[channels] == -1:  # named "classes" in a graph for any size
            dims[channels] = len(export_models.CLASSES)
        assert known == dims
    (warm_up,) = found.model_warmup
    assert warm_up.inputs["image"].zero_data and warm_up.inputs["image"].dims[-3] == 3
    if size is None:
        assert found.dynamic_batching.default_queue_policy.max_queue_size > 0


def test_names_are_escaped(written, tmp_path):
    description = open_exported(written[0] / "1" / "model.onnx").description
    (tmp_path / "config.pbtxt").write_text(config('a"b\\c', description))
    assert parsed(tmp_path).name == 'a"b\\c'


def test_folders_are_checked(tmp_path):
    check = targets["triton"].check
    check(tmp_path / "new", None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    for name, message in (("full", "exists"), ("a.onnx", "name of a file"), ("a b", "letters")):
        with pytest.raises(ConfigError, match=message):
            check(tmp_path / name, None)


def test_nothing_is_left_of_a_failure(tmp_path, monkeypatch):
    def fail(*args):
        raise ExportError("no")

    monkeypatch.setattr("fullconv.export.targets.triton.write_onnx", fail)
    with pytest.raises(ExportError):
        write(tmp_path / "repository" / "street")
    assert not any((tmp_path / "repository").iterdir())
