"""Check that a raster that was begun can be finished with the memory and the engine of now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fullconv.errors import ConfigError, MemoryBudgetError
from fullconv.model import Model
from fullconv.units import format_bytes, format_bytes_up


def engine_of(model: Model) -> Any:
    """Return the engine of a model, a `RunningEngine`; None if PyTorch or a file computes it."""
    return getattr(model.network, "engine", None)


def check_memory(
    division: Mapping[str, Any], memory: int | str | None, budget: int, target: Path
) -> None:
    """Check that a raster that was begun with some memory has it again, if it is limited.

    Args:
        division: how the work was divided when it began.
        memory: the limit as it was given; None for the default.
        budget: its bytes.
        target: the file to make.

    Raises:
        MemoryBudgetError: it takes more.
    """
    peak = division["network"]["peak"]
    if memory is not None and peak > budget:
        raise MemoryBudgetError(
            f"{target} was started with more memory: its parts take {format_bytes_up(peak)}, and "
            f"--memory allows {format_bytes(budget)}; raise it, or start over with --fresh"
        )


def check_engine(division: Mapping[str, Any], model: Model, target: Path) -> None:
    """Check that a raster that was begun with an engine has it again.

    Raises:
        ConfigError: it has another one, or none.
    """
    begun = division.get("engine", "")
    engine = engine_of(model)
    if begun and (engine is None or engine.name != begun):
        now = engine.name if engine else "torch"
        raise ConfigError(
            f"{target} was started with the engine {begun}, and the engine is {now} now; use "
            f"--engine {begun}, or start over with --fresh"
        )
