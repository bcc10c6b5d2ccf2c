"""Serve models over HTTP: one ASGI application, `app(models, limits)`, for uvicorn and others.

    from fullconv.serving import Limits, app, open_models

    application = app(open_models(["street=runs/train/photos-001"]), Limits(memory=2**30))

Each file without an underscore is one part of the server: it registers a `Member`, whose routes
the application has.
"""

from fullconv.serving._application import app
from fullconv.serving._label_studio import LabelStudio
from fullconv.serving._limits import LOOPBACK, Access, Limits, Settings
from fullconv.serving._members import Member, members
from fullconv.serving._models import EngineOptions, ServedModel, are_exported, open_models
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service

__all__ = [
    "LOOPBACK",
    "Access",
    "EngineOptions",
    "LabelStudio",
    "Limits",
    "Member",
    "Problem",
    "ServedModel",
    "Service",
    "Settings",
    "app",
    "are_exported",
    "members",
    "open_models",
]
