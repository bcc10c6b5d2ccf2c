"""Read pickles as data: instructions are interpreted, and nothing is imported or called.

Python's unpickler imports and calls what the file says. Here, a name stands for a function in the
caller's table; a name outside the table is an error.
"""

import pickletools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_TUPLE": tuple,
}
_NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"}
_STRINGS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINSTRING", "BINSTRING"}
_BYTES = {"SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
_LITERALS = _NUMBERS | _STRINGS | _BYTES
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

# An array takes about 40 instructions; the limit keeps a hostile file from taking minutes.
MOST_INSTRUCTIONS = 250_000


@runtime_checkable
class Readable(Protocol):
    """An open file of bytes, or an entry of an archive."""

    def read(self, count: int, /) -> bytes:
        """Read the next `count` bytes."""

    def readline(self) -> bytes:
        """Read up to and including the next line end."""

    def tell(self) -> int:
        """Return the position in bytes."""


class StandIn:
    """A function of ours that stands for a name in the pickle."""

    def __init__(self, stand_in: Callable[..., Any]) -> None:
        self.stand_in = stand_in

    def __call__(self, *arguments: Any) -> Any:
        """Call the function.

        Raises:
            ValueError: it does not take these arguments.
        """
        try:
            return self.stand_in(*arguments)
        except TypeError as error:
            raise ValueError("calls with arguments that do not belong to the name") from error


class Dropped:
    """What stands for an object whose content is not needed, e.g. the options of a training."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def build(self, state: object) -> None:
        """Ignore the state."""


class ForbiddenNameError(ValueError):
    """The pickle asks for a name outside the table; `name` is "module.attribute"."""

    def __init__(self, name: str) -> None:
        super().__init__(f"asks for {name}")
        self.name = name


class _Bounded:
    """A file that refuses reads past its end: a pickle may claim any length."""

    def __init__(self, file: Readable, size: int) -> None:
        self.file = file
        self.size = size
        self.tell = file.tell

    def read(self, count: int) -> bytes:
        left = self.size - self.file.tell()
        if count > left:
            raise ValueError(f"wants {count:,} bytes where {left:,} are left")
        return self.file.read(count)

    def readline(self) -> bytes:
        return self.file.readline()


def read_instructions(file: Readable, size: int) -> Iterator[tuple[str, Any]]:
    """Yield name and argument of each instruction of the pickle at the file's position.

    Args:
        file: afterwards at the end of the pickle.
        size: bytes of the whole file.

    Raises:
        ValueError: the pickle is truncated or malformed, or has too many instructions.
    """
    # The type that genops declares is wider than the two methods that it uses.
    bounded: Any = _Bounded(file, size)
    for count, (operation, argument, _) in enumerate(pickletools.genops(bounded)):
        if count >= MOST_INSTRUCTIONS:
            raise ValueError(f"has more than {MOST_INSTRUCTIONS:,} instructions")
        yield operation.name, argument


def rebuild(
    file: Readable,
    size: int,
    table: Mapping[str, Callable[..., Any]],
    droppable: re.Pattern[str] | None = None,
    persistent: Callable[[object], object] | None = None,
) -> object:
    """Rebuild what a pickle of dicts, lists, tuples, strings and numbers describes.

    What a function of the table returns may have a method `build(state)`, which raises ValueError
    if the state is invalid.

    Args:
        file: the pickle.
        size: bytes of the whole file.
        table: "module.attribute" -> the function that stands for it.
        droppable: names outside the table that are allowed; their objects become `Dropped`.
        persistent: returns what a persistent id stands for.

    Raises:
        ForbiddenNameError: a name is outside the table.
        ValueError: the pickle is truncated, or uses other instructions.
    """
    machine = _Machine(table, droppable, persistent)
    for name, argument in read_instructions(file, size):
        if name == "STOP":
            return machine.pop()
        machine.step(name, argument)
    raise ValueError("has no end")


class _Machine:
    """Stack and memo of the pickle machine, without imports and calls."""

    def __init__(
        self,
        table: Mapping[str, Callable[..., Any]],
        droppable: re.Pattern[str] | None,
        persistent: Callable[[object], object] | None,
    ) -> None:
        self.table = table
        self.droppable = droppable
        self.persistent = persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under the open marks
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _LITERALS:
            self.stack.append(argument)
        elif name in _TUPLES:
            items = [self.pop() for _ in range(_TUPLES[name])]
            self.stack.append(tuple(reversed(items)))
        elif name in ("PROTO", "FRAME"):
            return
        elif method := getattr(self, f"_{name.lower()}", None):
            method(argument)
        else:
            raise ValueError(f"uses the instruction {name}, which arrays do not need")

    def pop(self) -> Any:
        if not self.stack:
            raise ValueError("takes more than it has put down")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"expects a {kind.__name__} where there is none")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        if not self.below:
            raise ValueError("closes a group that it never opened")
        items, self.stack = self.stack, self.below.pop()
        return items

    def _mark(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def _tuple(self, _: None) -> None:
        items = self.since_mark()
        self.stack.append(tuple(items))

    def _setitem(self, _: None) -> None:
        value, key = self.pop(), self.pop()
        self._store([key, value])

    def _setitems(self, _: None) -> None:
        self._store(self.since_mark())

    def _store(self, items: list[Any]) -> None:
        if self._drops():
            return
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, Dropped | StandIn):
                continue
            if not isinstance(key, str | int):
                raise ValueError(f"has a {type(key).__name__} as a key")
            target[key] = value

    def _append(self, _: None) -> None:
        item = self.pop()
        if not self._drops():
            self.top(list).append(item)

    def _appends(self, _: None) -> None:
        items = self.since_mark()
        if not self._drops():
            self.top(list).extend(items)

    _additems = _appends  # a set is read as a list: its elements need no hash

    def _frozenset(self, _: None) -> None:
        items = self.since_mark()
        self.stack.append(items)

    def _drops(self) -> bool:
        return isinstance(self.top(object), Dropped)

    def _memoize(self, _: None) -> None:
        self._binput(len(self.memo))

    def _binput(self, index: int) -> None:
        self.memo[index] = self.top(object)

    _long_binput = _binput

    def _binget(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError(f"refers to entry {index}, which does not exist")
        self.stack.append(self.memo[index])

    _long_binget = _binget

    def _global(self, argument: str) -> None:
        self._name(argument.replace(" ", ".", 1))

    def _stack_global(self, _: None) -> None:
        attribute, module = self.pop(), self.pop()
        if not isinstance(attribute, str) or not isinstance(module, str):
            raise ValueError("names something with a value that is not a text")
        self._name(f"{module}.{attribute}")

    def _name(self, name: str) -> None:
        if name in self.table:
            self.stack.append(StandIn(self.table[name]))
        elif self.droppable and self.droppable.fullmatch(name):
            self.stack.append(StandIn(Dropped))
        else:
            raise ForbiddenNameError(name)

    def _binpersid(self, _: None) -> None:
        if self.persistent is None:
            raise ValueError("refers to something outside")
        self.stack.append(self.persistent(self.pop()))

    def _reduce(self, _: None) -> None:
        arguments = self.pop()
        known = self.top(StandIn)
        if not isinstance(arguments, tuple):
            raise ValueError("calls without a tuple of arguments")
        self.stack[-1] = known(*arguments)

    _newobj = _reduce

    def _build(self, _: None) -> None:
        state = self.pop()
        build = getattr(self.top(object), "build", None)
        if build is None:
            raise ValueError("sets the state of something that has none")
        build(state)
