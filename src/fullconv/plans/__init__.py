"""How an image will be answered: whole, in strips, or in tiles, by the memory that it may take."""

from fullconv.plans.choosing import in_parts, plan
from fullconv.plans.fitting import ALIGN
from fullconv.plans.needs import peak
from fullconv.plans.planned import Plan, Scaled, flows

__all__ = ["ALIGN", "Plan", "Scaled", "flows", "in_parts", "peak", "plan"]
