"""Measure the engines of models that PyTorch computes meanwhile, and change to the fastest."""

import logging
from dataclasses import replace

from fullconv.serving._models import ServedModel, optimize_served
from fullconv.serving._service import Service
from fullconv.serving._warm_up import warm_up_model

logger = logging.getLogger("fullconv.serving")


def settle_engines(service: Service) -> None:
    """Choose the engine of each model that was opened without measuring them.

    A request keeps the engine that it began with, and its headers name it.
    """
    service.measuring = True
    try:
        for served in [*service.models.values()]:
            if not served.model.choice.settled:
                _settle(service, served)
    finally:
        service.measuring = False


def _settle(service: Service, served: ServedModel) -> None:
    """Choose the engine of one model, on a copy of its network with the same weights."""
    from fullconv.batch.shared_model import unoptimized  # imports PyTorch

    options = replace(served.options, measure=True, announce=logger.info)
    model = unoptimized(served.model)
    try:
        device = str(next(model.network.parameters()).device)
        optimize_served(served.name, model, device, options)
        new = replace(served, model=model, options=options)
        if new.engine != served.engine:
            warm_up_model(new)
    except Exception:
        logger.exception("model %s: its engines cannot be measured; PyTorch stays", served.name)
        return
    if new.engine != served.engine:
        service.replace_model(new, served)
