"""Fixtures shared by several test files."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")

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
