import io
import json
import pickle
import zipfile

import pytest
import torch

import export_models
from fullconv.errors import ExportError, WeightsError
from fullconv.export.exporters import exporters
from fullconv.inference.runtimes import runtimes

EXPORTER = exporters["torch_export"]
RUNTIME = runtimes["torch_export"]


@pytest.fixture(scope="module")
def net():
    return export_models.network()


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    EXPORTER.write(net, path)
    EXPORTER.stamp(path, '{"classes": ["Straße"]}')
    return path


def test_scores_equal_the_networks_for_any_image_and_batch_size(net, file):
    opened = RUNTIME.open(file)
    assert opened.description == '{"classes": ["Straße"]}'
    assert export_models.max_difference(net, opened.run) < 1e-6


def test_pytorch_runs_the_file_without_fullconv(net, file):
    module = torch.export.load(file).module()

    def run(image):
        return module(torch.from_numpy(image)).detach().numpy()

    assert export_models.max_difference(net, run) < 1e-6


def test_a_graph_for_one_size_uses_border_skipping(tmp_path):
    net = export_models.network(padding=100)
    EXPORTER.write(net, tmp_path / "net.pt2", (40, 50))
    program = torch.export.load(tmp_path / "net.pt2")
    first = next(node for node in program.graph.nodes if "conv2d" in str(node.target))
    assert tuple(first.meta["val"].shape[2:]) == (42, 52)  # of 238 x 248 with all of the padding
    run = RUNTIME.open(tmp_path / "net.pt2").run
    assert export_models.max_difference(net, run, sizes=[(40, 50)], count=1) < 1e-5


def test_the_file_has_no_paths_of_this_machine(file):
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            assert not export_models.names_this_machine(archive.read(name)), name


def test_a_network_with_control_flow_is_refused(tmp_path):
    class Branching(torch.nn.Module):
        def forward(self, image):
            return image if image.sum() > 0 else -image

    with pytest.raises(ExportError, match=r"torch\.export cannot follow this network"):
        EXPORTER.write(Branching(), tmp_path / "net.pt2")


class Bomb:
    def __reduce__(self):
        return (print, ("a pickle was executed",))


def pickled():
    stream = io.BytesIO()
    torch.save(Bomb(), stream)
    return stream.getvalue()


def changed(file, target, changes, more=()):
    """Copy an archive with some members changed and others added."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        root = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            content = old.read(name)
            member = name.removeprefix(f"{root}/")
            new.writestr(name, changes[member](content) if member in changes else content)
        for name, content in more:
            new.writestr(f"{root}/{name}", content)
    return target


def graph(change):
    def changed_graph(content):
        values = json.loads(content)
        change(values)
        return json.dumps(values)

    return {"models/model.json": changed_graph}


def nodes(values):
    return values["graph_module"]["graph"]["nodes"]


def with_target(target):
    return graph(lambda values: nodes(values)[0].update(target=target))


def with_formula(values):
    text = json.dumps(values)
    at = text.index('"expr_str": "') + len('"expr_str": "')
    end = text.index('"', at)
    new = json.loads(text[:at] + "__import__('os').system('true')" + text[end:])
    values.clear()
    values.update(new)


HOSTILE = {
    "a target outside aten": with_target("torch.hub.load"),
    "an operator that calls": with_target("_operator.methodcaller"),
    "an operation that opens files": with_target("torch.ops.aten.from_file.default"),
    "a guard that is code": graph(
        lambda values: values.update(guards_code=["__import__('os').system('true')"])
    ),
    "a guard of attributes": graph(lambda values: values.update(guards_code=["L.__class__"])),
    "a formula that is code": graph(with_formula),
    "metadata with functions": graph(
        lambda values: nodes(values)[0].update(metadata={"source_fn_stack": "a,torch.hub.load"})
    ),
    "a pickled weight": {
        "data/weights/model_weights_config.json": lambda content: content.replace(
            b'"use_pickle": false', b'"use_pickle": true'
        ).replace(b'"use_pickle":false', b'"use_pickle":true')
    },
    "a pickled example": {"data/sample_inputs/model.pt": lambda content: pickled()},
    "an enum that imports": graph(
        lambda values: nodes(values) and values["graph_module"].update(_enum(values))
    ),
}


def _enum(values):
    call = values["graph_module"]["module_call_graph"][0]["signature"]
    call["in_spec"] = call["in_spec"].replace('"context"', '"__enum__": true, "context"', 1)
    return {}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_could_run_code_is_not_opened(what, file, tmp_path, capsys, monkeypatch):
    hostile = changed(file, tmp_path / "hostile.pt2", HOSTILE[what])
    assert hostile.read_bytes() != file.read_bytes()
    monkeypatch.setattr(torch.export, "load", None)  # the file is checked before
    with pytest.raises(WeightsError, match="which could run code on this machine"):
        RUNTIME.open(hostile)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["data/aotinductor/model/x.so", "data/constants/custom_obj_0", "data/weights/model.pt"]
)
def test_other_members_of_the_archive_are_refused(name, file, tmp_path):
    hostile = changed(file, tmp_path / "hostile.pt2", {}, [(name, pickle.dumps(Bomb()))])
    with pytest.raises(WeightsError, match="holds the file"):
        RUNTIME.open(hostile)


def test_damaged_files_are_refused_with_one_message(file, tmp_path):
    with pytest.raises(WeightsError, match="there is no such model file"):
        RUNTIME.open(tmp_path / "absent.pt2")
    (tmp_path / "cut.pt2").write_bytes(file.read_bytes()[:3000])
    with pytest.raises(WeightsError, match=r"not a torch\.export program"):
        RUNTIME.open(tmp_path / "cut.pt2")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"padding": 100},
        {"fusing": "sum"},
        {"upsampling": "unpooling"},
        {"upsampling": "bilinear"},
        {"name": "fcn8s-torchvision_resnet18"},
        {"name": "fcn8s-tf_efficientnet_lite0"},
    ],
    ids=str,
)
def test_every_kind_of_network(settings, tmp_path):
    net = export_models.network(**settings)
    EXPORTER.write(net, tmp_path / "net.pt2")
    assert export_models.max_difference(net, RUNTIME.open(tmp_path / "net.pt2").run) < 1e-5
