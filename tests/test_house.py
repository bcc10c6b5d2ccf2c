"""The plan of the house, held: imports only go down, and nothing forbidden is called."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "fullconv"

# From the ground up; docs/architecture.md shows the same picture.
FLOORS = (
    {"errors"},
    {
        "atomic",
        "balance",
        "colors",
        "locking",
        "config",
        "devices",
        "geometry",
        "memory",
        "metrics",
        "reach",
        "registry",
        "splits",
        "team",
        "tiles",
        "turns",
    },
    {"apart", "events", "labels", "news", "parallel", "parts", "sights", "storage", "trackers"},
    {
        "calls",
        "everywhere",
        "folding",
        "influence",
        "layers",
        "images",
        "manifest",
        "operations",
        "rasters",
        "regions",
        "sample",
        "videofile",
        "winograd",
    },
    {
        "advisor",
        "answerfiles",
        "averaging",
        "brushes",
        "charts",
        "gallery",
        "heads",
        "inputs",
        "journal",
        "packing",
        "pickles",
        "polygons",
        "rows",
        "shapes",
        "tracing",
        "wire",
        "vggnames",
        "weighing",
    },
    {"costs", "engines", "media", "naming", "rewriting", "steps"},
    {"blending", "dense", "strips"},
    {"plans", "street"},
    {
        "backbones",
        "decoders",
        "downloads",
        "fixedframe",
        "formats",
        "frame",
        "losses",
        "mirror",
        "surgery",
        "tiling",
        "transforms",
    },
    {"averages", "fcn", "optimizers", "order", "regional"},
    {"adoption", "learning", "optimizing", "portable", "prediction", "staging", "unweighing"},
    {"contactsheet"},
    {"areas", "exporters", "model", "video", "weights", "writers"},
    {
        "beginning",
        "checkpoint",
        "exported",
        "gathering",
        "identity",
        "manyscales",
        "proof",
        "rasterfiles",
        "recipes",
        "run",
    },
    {
        "anatomy",
        "chronicle",
        "evaluation",
        "exporting",
        "former",
        "labelling",
        "report",
        "standings",
        "training",
        "twins",
    },
    {
        "answering",
        "benching",
        "checks",
        "conversion",
        "explainers",
        "halving",
        "preflight",
        "quantizing",
        "recorder",
        "rivals",
        "runplan",
    },
    {"jobs", "large", "merging", "outcome", "remaining"},
    {"bulk", "experiment"},
    {"commands"},
    {"__main__"},
)
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py") + sorted(
    path for path in SOURCE.rglob("*/__init__.py") if path.parent != SOURCE
)


def room(path):
    """The name on the plan: of the folder for a family's files."""
    inside = path.relative_to(SOURCE).parts
    return inside[0].removesuffix(".py")


def imports(path):
    """The rooms that a file imports, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fullconv"):
            parts = node.module.split(".")[1:]
            yield from [parts[0]] if parts else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [a.name.split(".")[1] for a in node.names if a.name.startswith("fullconv.")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_only_go_down(path):
    own = room(path)
    assert own in HEIGHT, f"{own} has no floor: put it on the plan in this file"
    for used in imports(path):
        if used in ("__version__", own):
            continue
        assert HEIGHT[used] < HEIGHT[own], f"{path.name}: {own} must not know {used}"


def calls(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), ast.unparse(node)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_executes_what_a_file_says(path):
    for function, text in calls(path):
        assert function not in ("eval", "exec", "pickle.load", "pickle.loads", "yaml.load"), text
        assert "allow_pickle=True" not in text
        if function.endswith("torch.load"):
            assert "weights_only=True" in text
        if function == "import_module":
            assert path.name in ("registry.py", "__init__.py"), "import paths come from no file"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_images_knows_pil_and_only_commands_print(path):
    text = path.read_text()
    if room(path) != "images":  # the folder: its files part reading from refusing and writing
        assert "from PIL" not in text and "import PIL" not in text
    if room(path) != "commands":
        assert not any(function == "print" for function, _ in calls(path))
        assert "rich" not in {n.split(".")[0] for n in _modules(text)}


def _modules(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_every_file_says_what_it_is_about():
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text())), path
