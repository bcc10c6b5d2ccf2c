"""Find the weights in a checkpoint: a tree of dicts in which they have one of many names."""

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

Array = TypeVar("Array")

MAX_DEPTH = 6
# An average of the weights (exponential moving average) is what the program itself evaluates.
EMA = re.compile(r"(.*_)?(ema|averaged|average|swa)(_.*)?", re.IGNORECASE)
# Keys of weights, most wanted first.
_KEYS = (
    *("state_dict", "model_state_dict", "model_state", "model", "network", "net", "params"),
    *("weights", "module", "student", "teacher", "generator"),
)
_BOOKKEEPING = re.compile(r"optim|sched|scaler|criterion|loss|metric|callback|hyper|history", re.I)


def find_arrays(tree: object, kind: type[Array]) -> tuple[dict[str, Array], list[str]]:
    """Return the arrays of the weights by name, and sentences about what was chosen.

    Args:
        tree: what the file holds.
        kind: type of the arrays; they have a shape.

    Raises:
        ValueError: two arrays have the same name.
    """
    search = _Search(kind)
    chosen = search.choose(tree)
    search.flatten(chosen, "", 0)
    others = [str(key)[:40] for key in chosen if not search.holds(chosen[key])]
    if others:
        rest = ", ..." if len(others) > 8 else ""
        search.notes.append(f"entries that are not tensors: {', '.join(others[:8])}{rest}")
    return search.arrays, search.notes


class _Search(Generic[Array]):
    """A search in one tree. Dicts may be shared, so each is looked at once."""

    def __init__(self, kind: type[Array]) -> None:
        self.kind = kind
        self.notes: list[str] = []
        self.arrays: dict[str, Array] = {}
        self._known: dict[int, bool] = {}  # by identity: whether a dict holds arrays
        self._done: set[int] = set()

    def choose(self, tree: object, depth: int = 0) -> Mapping[Any, Any]:
        """Return the dict that holds the weights."""
        if not isinstance(tree, Mapping):
            return {}
        if depth > MAX_DEPTH or any(self._is_weight(value) for value in tree.values()):
            return tree
        inner = {
            key: value
            for key, value in tree.items()
            if isinstance(key, str) and isinstance(value, Mapping) and self.holds(value)
        }
        usual = {key: value for key, value in inner.items() if not _BOOKKEEPING.search(key)}
        averaged = [key for key in usual if EMA.fullmatch(key)]
        keys = averaged or [key for key in _KEYS if key in usual]
        if not keys and len(usual) == 1:
            keys = list(usual)
        if not keys:
            return usual or tree  # parts of a network, such as encoder and decoder
        rest = ", ".join(repr(key[:40]) for key in usual if key != keys[0])
        if averaged:
            but = f", not those in {rest}" if rest else ""
            self.notes.append(f"the averaged weights (EMA) in {keys[0]!r} are used{but}")
        elif rest:
            self.notes.append(f"the weights in {keys[0]!r} are used, not those in {rest}")
        return self.choose(usual[keys[0]], depth + 1)

    def holds(self, value: object, depth: int = 0) -> bool:
        """Return whether a value is an array, or a dict that holds one at any depth."""
        if isinstance(value, self.kind):
            return True
        if not isinstance(value, Mapping) or depth > MAX_DEPTH:
            return False
        if id(value) not in self._known:
            self._known[id(value)] = False  # it may hold itself
            found = any(self.holds(inner, depth + 1) for inner in value.values())
            self._known[id(value)] = found
        return self._known[id(value)]

    def flatten(self, tree: Mapping[Any, Any], prefix: str, depth: int) -> None:
        """Add the arrays of a dict; names of inner dicts are joined by dots."""
        if depth > MAX_DEPTH or id(tree) in self._done:
            return
        self._done.add(id(tree))
        for key, value in tree.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping):
                self.flatten(value, f"{name}.", depth + 1)
            elif isinstance(value, self.kind):
                if name in self.arrays:
                    raise ValueError(f"two arrays have the name {name[:100]}")
                self.arrays[name] = value

    def _is_weight(self, value: object) -> bool:
        """Return whether a value is an array with dimensions: no counter, no metric."""
        return isinstance(value, self.kind) and len(getattr(value, "shape", ())) > 0
