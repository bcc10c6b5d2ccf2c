"""Terminal output: lines, tables, progress bars and JSON."""

import math
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.style import Style
from rich.text import Text

from fullconv.cli._links import file_uri, shows_links
from fullconv.errors import ConfigError, OutputError, printable
from fullconv.hardware import OtherPrograms
from fullconv.io.atomic import explained, is_special, write_bytes
from fullconv.io.output_text import json_bytes

if TYPE_CHECKING:
    from fullconv.evaluation.evaluation import Evaluation, HeadEvaluations


Item = TypeVar("Item")

NAME_WIDTH = 48  # characters of a name in a table; the files that are written have all of them


class _Console(Console):
    """A console that continues without its reader, as in `fullconv predict ... | head`."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), self.file.fileno())


console = _Console(highlight=False, soft_wrap=True, emoji=False)
_json_stream: list[TextIO] = []  # standard output, while `--json -` keeps it for JSON


@contextmanager
def saying_if_busy(where: bool = True) -> Iterator[None]:
    """Say at the end whether other programs took the processor from what is inside.

    `where` is false if this process starts others that compute.
    """
    others = OtherPrograms()
    yield
    busy = others.describe() if where else ""
    if busy:
        say(f"note   {busy}, so this took longer than it does alone")


@contextmanager
def own_streams() -> Iterator[None]:
    """Use standard output and standard error for one command, whatever it prints.

    Raises:
        OSError: standard output cannot be written.
    """
    before = sys.stdout
    console.quiet = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names need not fit the terminal's encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
        with suppress(BrokenPipeError, ValueError):  # its reader has gone, or it is closed
            sys.stdout.flush()
    finally:
        sys.stdout = before
        _json_stream.clear()


def keep_stdout_for_json(target: Path | None) -> Path | None:
    """Print everything but JSON to standard error if JSON goes to standard output (`-`).

    Raises:
        ConfigError: the target is a folder.
    """
    if target is not None and os.path.isdir(target):  # said before the work, not after it
        raise ConfigError(f"--json {target} is a folder; expected a file, or - (standard output)")
    if str(target) == "-" and not _json_stream:
        _json_stream.append(sys.stdout)
        sys.stdout = sys.stderr
    return target


def say(text: str) -> None:
    """Print one line; nothing in a message moves the cursor."""
    console.print(printable(text), markup=False)


def say_path(path: Path, before: str = "", after: str = "") -> None:
    """Print the path of a file between two texts, as a link if the terminal shows links."""
    is_link = console.is_terminal and shows_links(os.environ)
    text = Text(printable(before))
    text.append(printable(str(path)), Style(link=file_uri(path)) if is_link else None)
    console.print(text.append(printable(after)))


def say_wrapped(text: str, indent: int = 7) -> None:
    """Print one line, which a terminal that is narrower shows as several, indented ones."""
    if console.is_terminal:
        lines = textwrap.TextWrapper(console.width, subsequent_indent=indent * " ")
        lines.break_long_words = lines.break_on_hyphens = False  # a path has to stay as it is
        text = lines.fill(text)
    say_lines(text)


def say_fields(text: str) -> None:
    """Print fields with two blanks between them; a narrower terminal breaks between them only."""
    if console.is_terminal:
        # textwrap breaks at blanks, but not at those that are not to be broken.
        kept = "  ".join(field.replace(" ", "\xa0") for field in text.split("  "))
        lines = textwrap.wrap(kept, console.width, break_long_words=False, break_on_hyphens=False)
        text = "\n".join(lines).replace("\xa0", " ")
    say_lines(text)


def say_lines(text: str) -> None:
    """Print a text of several lines, such as a table."""
    for line in text.split("\n"):
        say(line)


def say_error(text: str) -> None:
    """Print the message of an error to standard error."""
    with suppress(OSError, ValueError):  # it may be closed
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr)


class _Description(ProgressColumn):
    """The name of a task, without interpreting markup."""

    def render(self, task: Task) -> Text:
        return Text(printable(task.description))


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress]:
    """Show a progress bar with the remaining time; none if the output is piped."""
    bar = Progress(
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    with bar:
        yield bar


def track(items: Iterable[Item], total: int, what: str, quiet: bool = False) -> Iterator[Item]:
    """Yield the items while a progress bar shows how many are done."""
    with progress_bar(quiet) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            yield item
            bar.advance(task)


def format_table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Format a table as plain text without wrapping.

    The first `left` columns are left-aligned; longer names in them are cut to `NAME_WIDTH`.
    """
    lines = [
        tuple(_cut(printable(cell)) if i < left else printable(cell) for i, cell in enumerate(line))
        for line in (titles, *rows)
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cut(text: str) -> str:
    return text if len(text) <= NAME_WIDTH else f"{text[: NAME_WIDTH - 3]}..."


def say_head(name: str) -> None:
    """Print the title of one of several heads; nothing for a model of one head."""
    if name:
        say(f"head {name}")


def say_metrics(evaluation: "HeadEvaluations") -> None:
    """Print the metrics: of several heads those of each, and the mean of their mean IoU."""
    from fullconv.evaluation.metrics import format_percent
    from fullconv.evaluation.summary import format_metrics

    for name, head in evaluation.heads.items():
        say_head(name)
        say_fields(format_metrics(head))
    if len(evaluation.heads) > 1:
        say(f"mean of the heads' mean IoU {format_percent(evaluation.mean_iou)}")


def format_class_table(evaluation: "Evaluation") -> str:
    """Format IoU and accuracy of every class; "-" for absent classes."""
    from fullconv.evaluation.metrics import format_percent

    rows = zip(
        evaluation.classes, evaluation.iou, evaluation.accuracy, evaluation.pixels, strict=True
    )
    cells = [
        (name, format_percent(iou), format_percent(accuracy), f"{pixels:,}")
        for name, iou, accuracy, pixels in rows
    ]
    return format_table(("class", "IoU", "accuracy", "pixels"), cells)


def write_json(target: Path | None, values: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write values as JSON to a file, or to standard output for "-"; None writes nothing."""
    if target is None:
        return
    content = json_bytes(values, indent=2)
    if str(target) != "-" and is_special(target):  # e.g. /dev/stdout
        with explained(target), _open_special(target) as file:
            file.write(content)
        return
    if str(target) != "-":
        write_bytes(target, content)
        return
    stream = _json_stream[0] if _json_stream else sys.stdout
    try:
        stream.write(content.decode())
        stream.flush()
    except OSError as error:
        with suppress(OSError):  # or Python writes the rest, and fails again, when it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise OutputError(
            f"standard output could not be written: {error.strerror}; give --json a file"
        ) from error


def _open_special(target: Path) -> BinaryIO:
    """Open a device or a pipe for writing; a pipe without a reader would wait forever.

    Raises:
        OSError: the pipe has no reader.
    """
    handle = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(handle, True)
    return open(handle, "wb")


def nan_to_none(number: float) -> float | None:
    """Replace nan, which JSON lacks, by None."""
    return None if math.isnan(number) else number
