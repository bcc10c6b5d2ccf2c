"""What several test files share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_folder(name: str) -> Path:
    """A folder of the reference material beside the checkout; skips where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(
            f"needs ../shared/{name}, the reference data, which is not beside this checkout"
        )
    return folder


@pytest.fixture
def shared():
    return shared_folder
