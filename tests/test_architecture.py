"""The architecture: imports only go down, without cycles; some libraries have one importer."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "fullconv"
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")

# From the bottom up: a file imports from its own package and from those before it. The same list
# is in docs/architecture.md.
PACKAGES = (
    "errors",
    "_version",
    "_registry",
    "units",
    "pages",
    "config",
    "hardware",
    "io",
    "data",
    "networks",
    "inference",
    "conversion",
    "engines",
    "model",
    "weights",
    "evaluation",
    "explain",
    "training",
    "export",
    "batch",
    "serving",
    "tools",
    "cli",
    "__main__",
)

# Third-party packages that only these files may import.
WALLS = {
    "PIL": ("io/images/",),
    "av": ("io/video.py",),
    "rasterio": ("io/rasters/",),
    "onnx": ("export/exporters/", "export/onnx_edit.py", "weights/sources/onnx.py"),
    "onnxruntime": ("inference/runtimes/", "export/exporters/", "export/onnx_edit.py"),
    "openvino": ("inference/runtimes/", "export/exporters/"),
    "rich": ("cli/",),
    "typer": ("cli/",),
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def modules(path: Path) -> Iterator[str]:
    """Yield the dotted names of all imports of a file, lazy and type-checking ones included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "require":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def file_of(module: str) -> Path | None:
    """Return the file of a dotted name; None for modules of other packages."""
    if not module.startswith("fullconv."):
        return None
    path = ROOT.joinpath(*module.split(".")[1:])
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def imported_files(path: Path) -> set[Path]:
    """Return the files of this package that a file imports."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {file_of(submodule) or file_of(node.module) for submodule in names}
    return {file for file in found if file} - {path}


def package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_file = pytest.mark.parametrize("path", FILES, ids=name)


@each_file
def test_imports_only_go_down(path):
    own = package(path)
    assert own in PACKAGES, f"{own} is not in the order: add it to PACKAGES"
    for used in map(package, imported_files(path)):
        assert PACKAGES.index(used) <= PACKAGES.index(own), f"{name(path)}: {own} imports {used}"


def test_imports_have_no_cycles():
    graph = {path: imported_files(path) for path in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" <- ".join(map(name, error.args[1]))) from None


def test_the_cycle_check_finds_a_cycle():
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def private_uses(path: Path) -> Iterator[str]:
    """Yield what a file imports that begins with an underscore and is not of its own package.

    A private file belongs to its folder and the folders in it, a private name to its file.
    """
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("fullconv"):
            continue
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            own = file_of(full) or file_of(node.module)
            private_file = own and re.match("_[^_]", own.name) and own.parent != ROOT
            private_name = not file_of(full) and re.match("_[^_]", alias.name)
            if private_name or (private_file and own.parent not in path.parents):
                yield full


@each_file
def test_private_files_and_names_are_used_in_their_own_package_only(path):
    assert [*private_uses(path)] == []


@pytest.mark.parametrize(
    ("place", "line", "refused"),
    [
        ("cli/explain/a.py", "from fullconv.cli._console import say", False),
        ("cli/explain/a.py", "from fullconv.cli import _console", False),
        ("cli/a.py", "from fullconv.serving._limits import Limits", True),
        ("cli/a.py", "from fullconv.serving import _limits", True),
        ("cli/a.py", "from fullconv.hardware import _cpu_seconds", True),
        ("batch/a.py", "from fullconv.batch.writers._regions import class_masks", True),
    ],
)
def test_the_check_of_private_imports(monkeypatch, place, line, refused):
    monkeypatch.setitem(globals(), "parsed", lambda path: ast.parse(line))
    assert bool([*private_uses(ROOT / place)]) == refused


@each_file
def test_some_libraries_are_imported_in_one_package_only(path):
    for module in modules(path):
        wall = WALLS.get(module.partition(".")[0])
        assert wall is None or name(path).startswith(wall), f"{name(path)} imports {module}"


def calls(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), ast.unparse(node)


@each_file
def test_only_commands_print(path):
    if package(path) != "cli":
        assert not any(function == "print" for function, _ in calls(path))


@each_file
def test_no_file_content_is_executed(path):
    for function, text in calls(path):
        assert function not in ("eval", "exec", "pickle.load", "pickle.loads", "yaml.load"), text
        assert "allow_pickle=True" not in text
        if function.endswith("torch.load"):
            assert "weights_only=True" in text
        if function == "import_module":
            assert path.name in ("_registry.py", "__init__.py", "errors.py"), (
                "import paths must not come from files"
            )


LISTING = ("glob", "rglob", "iterdir", "listdir", "walk", "scandir")
# The user's folders are listed in one place, which leaves hidden files out.
LISTED = ("data/", "evaluation/")


@each_file
def test_folders_of_users_are_listed_without_hidden_files(path):
    if name(path).startswith(LISTED) and name(path) != "data/formats/samples.py":
        for function, text in calls(path):
            assert function.rpartition(".")[2] not in LISTING or function == "ast.walk", text


@each_file
def test_every_file_has_a_docstring(path):
    assert ast.get_docstring(parsed(path)), path
