"""Stop a prediction whose result is no longer needed."""

from collections.abc import Callable

Stop = Callable[[], bool]
"""Asked before each part of a prediction: whether to stop."""


class StoppedError(Exception):
    """The prediction was stopped by the caller's `Stop`."""


def never() -> bool:
    """Return False: the `Stop` of predictions that always end."""
    return False


def check_stop(stop: Stop) -> None:
    """Raise StoppedError if `stop` returns True."""
    if stop():
        raise StoppedError
