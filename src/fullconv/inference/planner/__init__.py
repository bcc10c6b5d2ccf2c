"""How an image will be answered: whole, in strips, or in tiles, by the memory that it may take."""

from fullconv.inference.planner.choose import ALIGN, in_parts, plan
from fullconv.inference.planner.memory_cost import peak
from fullconv.inference.planner.plan import Plan, Scaled, flows

__all__ = ["ALIGN", "Plan", "Scaled", "flows", "in_parts", "peak", "plan"]
