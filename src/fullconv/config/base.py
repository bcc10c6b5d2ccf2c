"""The base class of all settings, and its error messages."""

import os
import re
import reprlib
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from fullconv.errors import ConfigError

Validated = TypeVar("Validated", bound="Settings")


class Settings(BaseModel):
    """Immutable settings that reject unknown names and non-finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        """Check and take the values.

        Raises:
            ConfigError: a name is unknown or a value is invalid; one sentence for each.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(explain(error, type(self))) from error

    @field_validator("*", mode="before")
    @classmethod
    def _adapt(cls, value: Any, info: ValidationInfo) -> Any:
        """Take arrays for lists and paths for texts, and refuse what would lose its meaning.

        That is true for a number, which would be 1 (`jitter: true` does not ask for that), and a
        set, whose order is accidental.
        """
        if isinstance(value, set | frozenset):
            raise ValueError("a set has no order; expected a list")
        if info.field_name and (value is True or isinstance(value, os.PathLike)):
            kinds = {*_kinds(cls.model_fields[info.field_name].annotation)}
            if value is not True:
                return os.fspath(value) if str in kinds else value
            if kinds & {int, float} and bool not in kinds:
                raise ValueError("expected a number")
        return value.tolist() if hasattr(value, "tolist") else value

    @classmethod
    def checked(cls: type[Validated], **values: Any) -> Validated:
        """Return the settings from values whose types are not known; see `__init__`."""
        return cls(**values)


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types that a value may have; of a tuple, not those of its parts."""
    yield annotation
    for inner in get_args(annotation) if get_origin(annotation) is not tuple else ():
        yield from _kinds(inner)


def depends(text: str) -> dict[str, Any]:
    """Describe in words the default of a field whose default is None (for help and docs)."""
    return {"default_text": text}


def explain(error: ValidationError, settings: type[BaseModel]) -> str:
    """Return a validation error as one sentence per wrong setting."""
    sentences: list[str] = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"][:1])
        if problem["type"] == "extra_forbidden":
            sentences.append(f"unknown setting {name[:60]!r}; {_hint(name, settings)}")
        elif problem["type"] == "missing":
            sentences.append(f"the setting {name!r} is missing")
        else:
            reason = _reason(problem["type"], problem["msg"])
            value = reprlib.repr(problem["input"])
            found = f"{name} is {value}: " if name else ""  # a rule of several settings has no name
            sentence = f"{found}{reason[0].lower()}{reason[1:]}"
            last, expected = sentences[-1] if sentences else "", f"{found}expected "
            if found and last.startswith(expected) and sentence.startswith(expected):
                other = sentence.removeprefix(expected)  # one of the kinds that a value may be
                sentences[-1] = last if last.endswith(other) else f"{last} or {other}"
            else:
                sentences.append(sentence)
    return "; ".join(dict.fromkeys(sentences))


def _reason(kind: str, message: str) -> str:
    """Return what is expected, from the type and the message of a pydantic error."""
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = message.removeprefix("Value error, ")
    for pattern, wording in _REWORDED:
        message = re.sub(pattern, wording, message)
    return message


# What is expected, by the type of pydantic's error.
_EXPECTED = {
    **dict.fromkeys(("bool_parsing", "bool_type"), "expected true or false"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "expected a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "expected a number"),
    "string_type": "expected a text",
    "tuple_type": "expected a list",
}

# Its other messages, in the words of ours.
_REWORDED = (
    (r"^Input should be greater than or equal to (.*)", r"expected \1 or more"),
    (r"^Input should be less than or equal to (.*)", r"expected \1 or less"),
    (r"^Input should be (a number )?(greater|less) than", r"expected a number \2 than"),
    (r"^Input should be", "expected"),
    (r"^Input should have", "expected"),
    (r"^\w+ should have (at \w+ \d+ \w+)( after validation)?.*", r"expected \1"),
)

# What other programs call the settings.
_OTHER_NAMES = {
    "learning_rate": "lr",
    "batch_size": "batch",
    "num_epochs": "epochs",
    "time": "minutes",
    "max_epochs": "epochs",
    "max_steps": "steps",
    "num_workers": "workers",
    "image_size": "size",
    "imgsz": "size",
    "crop_size": "crop",
    "backbone": "model",
    "pretrained": "weights",
    "dataset": "data",
}


def _hint(name: str, settings: type[BaseModel]) -> str:
    """Return the name that was probably meant, and where all names are listed."""
    known = settings.model_fields
    wanted = name.lower().replace("-", "_")
    near = get_close_matches(_OTHER_NAMES.get(wanted, wanted), known, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    if len(known) <= 12:
        return f"known settings: {', '.join(known)}"
    return "docs/settings.md and the config.yaml of any run list all settings"
