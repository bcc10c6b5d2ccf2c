"""The line at the bottom of the terminal that shows what `fullconv train` is doing."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.live import Live
from rich.text import Text

from fullconv.cli._console import console, say
from fullconv.errors import printable
from fullconv.units import format_clock, format_duration

LONGEST_BAR = 40  # characters
SHORTEST_BAR = 6
MARGIN = 3  # columns that stay free for the ^C that a terminal shows: a wrapped line would stay
SILENT_SECONDS = 10.0  # without a terminal, an activity that takes longer is printed


class ProgressLine:
    """One line of at most the terminal's width: what is done, a bar, elapsed and remaining time.

    It is drawn only on a terminal. Elsewhere, an activity that takes long gets a line of its own.

    Args:
        quiet: show nothing.
        began: time.monotonic() from which the elapsed time counts; None is now.
    """

    def __init__(self, quiet: bool = False, began: float | None = None) -> None:
        self.quiet = quiet
        self.began = time.monotonic() if began is None else began
        self._text = ""
        self._share: float | None = None
        self._left = ""
        self._timer: threading.Timer | None = None
        self._live: Live | None = None
        if not quiet and console.is_terminal:
            self._live = Live(self, console=console, transient=True, refresh_per_second=4)

    def __enter__(self) -> "ProgressLine":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cancel()
        if self._live:
            self._live.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def activity(self, text: str) -> None:
        """Show what is being done now."""
        self._text, self._share, self._left = text, None, ""
        self._cancel()
        if not self._live and not self.quiet:
            self._timer = threading.Timer(SILENT_SECONDS, say, (f"{text} ...",))
            self._timer.daemon = True
            self._timer.start()

    def progress(self, text: str, share: float, left: float | None = None) -> None:
        """Show what is being done now, with a bar.

        Args:
            text: what it is.
            share: of the whole that is done, in [0, 1].
            left: estimated seconds to the end; None if unknown.
        """
        if self._timer:
            self._cancel()
        self._text, self._share = text, share
        self._left = "" if left is None else format_left(left)

    def line(self, width: int) -> str:
        """Return the line for a terminal of this width."""
        parts = [self._text, format_clock(self.elapsed), self._left]
        text = "  ".join(filter(None, parts))
        width = max(1, width - MARGIN)
        room = min(LONGEST_BAR, width - len(text) - 2)
        if self._share is not None and room >= SHORTEST_BAR:
            done = round(self._share * room)
            parts.insert(1, "━" * done + "─" * (room - done))
        return printable("  ".join(filter(None, parts)))[:width]

    def __rich__(self) -> Text:
        return Text(self.line(console.width), no_wrap=True, overflow="crop")

    def _cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def format_left(seconds: float) -> str:
    """Return a remaining time in words, e.g. "about 4 min left"."""
    rounded = 10 * max(1, round(seconds / 10)) if seconds < 60 else seconds
    return f"about {format_duration(rounded, to_minutes=True)} left"


@contextmanager
def activity(text: str, quiet: bool = False) -> Iterator[None]:
    """Show what is being done inside."""
    with ProgressLine(quiet) as line:
        line.activity(text)
        yield
