"""Registries: the files of a package are its members, imported on first use."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from threading import RLock
from typing import Generic, TypeVar

from fullconv.errors import UnknownNameError

Member = TypeVar("Member")


class Registry(Generic[Member]):
    """Members of one kind, by name.

    Args:
        package: its modules register the members, e.g. "fullconv.networks.backbones".
        noun: for messages, e.g. "backbone".
    """

    def __init__(self, package: str, noun: str) -> None:
        self.package = package
        self.noun = noun
        self._members: dict[str, Member] = {}
        self._loaded = False
        self._loading = RLock()  # or another thread would see some of the members only

    def register(self, name: str) -> Callable[[Member], Member]:
        """Register the decorated object under `name`."""

        def add(member: Member) -> Member:
            self._members[name] = member
            return member

        return add

    def __getitem__(self, name: str) -> Member:
        self._load()
        if name not in self._members:
            raise UnknownNameError(self.noun, name, self._members)
        return self._members[name]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._members))

    def of_suffix(self, suffix: str) -> Member | None:
        """Return the member for files of this suffix, by the members' `suffix`; None if none is."""
        found = (self._members[name] for name in self)
        return next((m for m in found if getattr(m, "suffix", None) == suffix.lower()), None)

    def _load(self) -> None:
        if self._loaded:
            return
        with self._loading:
            for file in pkgutil.iter_modules(import_module(self.package).__path__):
                import_module(f"{self.package}.{file.name}")
            self._loaded = True
