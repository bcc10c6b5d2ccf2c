import pytest

import export_models
from fullconv.export.export import describe
from fullconv.export.exporters import exporters
from fullconv.export.page import runtime


@pytest.fixture(scope="package")
def make_page(tmp_path_factory):
    """A function that writes the page of a model; skips without ONNX Runtime Web."""
    pytest.importorskip("onnx", reason="needs the extra [onnx]")
    if not runtime._is_complete(runtime.cache_folder()):
        pytest.skip("needs ONNX Runtime Web in the cache (make runtime)")

    def make(model, name="tiny"):
        path = tmp_path_factory.mktemp("page") / f"{name}.html"
        exporters["page"].write(model.network.eval(), path)
        exporters["page"].stamp(path, describe(model).model_dump_json())
        return path

    return make


@pytest.fixture(scope="package")
def page(make_page):
    """The page of a small model whose photos are fitted into 60 x 80 and then scaled by 0.75."""
    model = export_models.model(size=(60, 80))
    model.input_scale = 0.75
    return make_page(model)
