"""The reference cases: outputs of independent implementations on reproducible weights."""

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

TOLERANCE = 1e-5  # relative to the largest reference value; other implementations differ by 2e-6


@cache
def recipe(folder: Path) -> ModuleType:
    """Load the numpy-only recipe of weights and inputs that belongs to the cases."""
    spec = importlib.util.spec_from_file_location("recipe", folder / "recipe.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return metadata and arrays of one case."""
    with np.load(folder / "cases" / name) as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
        return json.loads(str(file["meta"])), arrays


def weights(folder: Path, meta: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the weights of a case by the paper's layer names."""
    arrays = recipe(folder).weights(
        meta["model"],
        meta["num_classes"],
        meta["width"],
        meta.get("fc_width"),
        meta["seed"],
        meta.get("up", "random"),
    )
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def worst(found: torch.Tensor, reference: np.ndarray) -> float:
    """Return the largest difference, relative to the largest reference value."""
    return float(np.abs(found.numpy() - reference).max() / np.abs(reference).max())
