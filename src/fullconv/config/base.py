"""The base class of all settings, and its error messages."""

from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from fullconv.errors import ConfigError

Validated = TypeVar("Validated", bound="Settings")


class Settings(BaseModel):
    """Immutable settings that reject unknown names and non-finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def checked(cls: type[Validated], **values: Any) -> Validated:
        """Return the settings, or raise a `ConfigError` with one sentence per wrong setting."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(explain(error, cls)) from error


def depends(text: str) -> dict[str, Any]:
    """Describe in words the default of a field whose default is None (for help and docs)."""
    return {"default_text": text}


def explain(error: ValidationError, settings: type[BaseModel]) -> str:
    """Return a validation error as one sentence per wrong setting."""
    sentences = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"][:1])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(settings.model_fields)
            near = get_close_matches(name, settings.model_fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known settings: {known}"
            sentences.append(f"unknown setting {name!r}; {hint}")
        else:
            reason = problem["msg"][0].lower() + problem["msg"][1:]
            sentences.append(f"{name} is {problem['input']!r}: {reason}")
    return "; ".join(dict.fromkeys(sentences))
