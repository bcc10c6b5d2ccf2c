"""The parts of the server: each file of this package registers its routes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import Route

from fullconv._registry import Registry
from fullconv.serving._service import Service

Paths = Mapping[str, Mapping[str, Any]]
"""The paths of an OpenAPI document: path -> method -> operation."""


def no_paths(service: Service) -> Paths:
    """Return no documented paths."""
    del service
    return {}


@dataclass(frozen=True)
class Member:
    """One part of the server.

    Attributes:
        routes: returns its routes.
        open: paths that need no key.
        paths: returns what openapi.json says of its routes.
        schemas: of openapi.json's components, by name.
    """

    routes: Callable[[Service], Sequence[Route]]
    open: tuple[str, ...] = ()
    paths: Callable[[Service], Paths] = no_paths
    schemas: Mapping[str, Any] = field(default_factory=dict)


members: Registry[Member] = Registry("fullconv.serving", "part of the server")
