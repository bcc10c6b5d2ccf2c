"""Fixtures shared by several test files."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import install_import_hook

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("FULLCONV_ENGINE", "torch")  # tests of other engines name them
os.environ["HF_HUB_OFFLINE"] = "1"  # no test downloads weights, also not in a process of its own

SOURCE = Path(__file__).resolve().parents[1] / "src"


def modules_with_shapes() -> list[str]:
    """Return the modules whose annotations hold shapes; mypy alone checks the others."""
    return [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(SOURCE.rglob("*.py"))
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    ]


# Every call is slower with a check, so only where mypy cannot check: shapes and element types.
install_import_hook(modules_with_shapes(), "typechecks.checked")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_folder(name: str) -> Path:
    """Return a folder of the reference data next to the checkout; skip the test without it."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(
            f"needs ../shared/{name}, the reference data, which is not next to this checkout"
        )
    return folder


@pytest.fixture
def shared():
    return shared_folder


@pytest.fixture
def doubles(monkeypatch, tmp_path):
    """Engines that compute a copy of the network, in place of other runtimes."""
    from engine_doubles import install_doubles

    return install_doubles(monkeypatch, tmp_path / "cache")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Draw the same random numbers in a test and its fixtures whatever ran before."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def browser_process():
    """Chromium, started once for the tests of a file; use `browser`."""
    from browser import open_browser

    with open_browser() as opened:
        yield opened


@pytest.fixture
def browser(browser_process):
    """A browser whose records of errors and requests are empty; see `tests/browser.py`."""
    browser_process.errors.clear()
    browser_process.requests.clear()
    return browser_process
