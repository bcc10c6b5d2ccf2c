"""Plan whole-image, streamed or tiled inference for a memory limit."""

from fullconv.inference.plan import Plan
from fullconv.inference.planner.choose import ALIGN, plan, plan_parts
from fullconv.inference.planner.memory_cost import peak
from fullconv.inference.planner.rasters import (
    plan_raster,
    raster_windows,
    window_counts,
    window_rows,
)
from fullconv.inference.planner.strips import ScaledNetwork, band_executors, planned_network
from fullconv.inference.planner.windows import engine_windows

__all__ = [
    "ALIGN",
    "Plan",
    "ScaledNetwork",
    "band_executors",
    "engine_windows",
    "peak",
    "plan",
    "plan_parts",
    "plan_raster",
    "planned_network",
    "raster_windows",
    "window_counts",
    "window_rows",
]
