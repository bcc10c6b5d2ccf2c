"""Read the files that list inputs: @LIST, with one source per line, and manifests in JSON lines."""

import os
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from fullconv.batch.stored import parse_object
from fullconv.errors import ConfigError
from fullconv.io.regular import read_regular
from fullconv.io.storage import is_url


def read_list(name: str) -> list[str]:
    """Return the lines of a list, without empty ones; comments begin with #; "-" is standard input.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    try:
        content = _read_stdin() if name == "-" else read_regular(Path(name))
        if b"\0" in content:
            raise ValueError("no text, or not in UTF-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"@{name}: the list cannot be read ({reason})") from error
    # Names of files need not be UTF-8.
    lines = content.decode("utf-8-sig", "surrogateescape").split("\n")
    return [line.strip() for line in lines if line.strip()]


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    stream = getattr(sys.stdin, "buffer", None)
    return stream.read() if stream else sys.stdin.read().encode("utf-8", "surrogateescape")


def read_manifest(path: Path) -> Iterator[tuple[str, str]]:
    """Yield id, and path or URL, of each line; paths are relative to the working directory.

    A path that is not there is taken relative to the manifest's folder.

    Raises:
        ConfigError: the manifest cannot be read, or a line is invalid.
    """
    try:
        lines = read_regular(path).removeprefix(BOM_UTF8).split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: the manifest cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            input_id, where = _parse_line(line)
        except (ValueError, KeyError) as error:
            reason = f" ({error})" if isinstance(error, UnicodeError) else ""
            raise ConfigError(
                f'{path}, line {number}: expected {{"id": ..., "path": ...}}, found '
                f"{line[:60]!r}{reason}"
            ) from error
        if not is_url(where) and not os.path.isabs(where) and not os.path.lexists(where):
            where = str(path.parent / where)
        yield input_id, where


def _parse_line(line: bytes) -> tuple[str, str]:
    """Return id, and path or URL."""
    entry = parse_object(line)
    where = entry.get("path") or entry["url"]
    input_id = entry.get("id", where)
    if not isinstance(where, str) or type(input_id) not in (str, int) or "\0" in where:
        raise ValueError("no text")
    os.fsencode(where)  # fails for characters that no file name can have
    return str(input_id), where
