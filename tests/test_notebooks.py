"""The notebooks: Jupytext reads and writes them without a change, and they run."""

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def script():
    if not (find_spec("jupytext") and find_spec("nbclient") and find_spec("ipykernel")):
        pytest.skip("needs jupytext, nbclient and ipykernel (make setup), which are not installed")
    path = ROOT / "scripts" / "make_notebooks.py"
    spec = spec_from_file_location("make_notebooks", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_notebook
def test_a_notebook_is_its_python_file(path, script):
    notebook = script.jupytext.read(path)
    text = script.jupytext.writes(notebook, fmt="py:percent")
    assert text.split("# %%", 1)[1] == path.read_text(encoding="utf-8").split("# %%", 1)[1]
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds.count("markdown") > 4 and kinds.count("code") > 4


@each_notebook
def test_a_notebook_is_listed_and_begins_with_a_title(path):
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert f"(../notebooks/{path.name})" in page
    assert "# %% [markdown]\n# # " in path.read_text(encoding="utf-8")


@pytest.mark.slow
@each_notebook
def test_a_notebook_runs(path, script):
    notebook = script.jupytext.read(path)
    script.run(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    data = [output.data for output in outputs if "data" in output]
    assert any("image/png" in each or "image/svg+xml" in each for each in data)
