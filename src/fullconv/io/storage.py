"""Read and write files by name: in a local folder, or at a URL (s3://, gs://, ...) by fsspec."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import sleep
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from fullconv.errors import ConfigError, DataError, ImageError, OutputError, require
from fullconv.io.atomic import write_bytes
from fullconv.io.contained import contained, is_contained
from fullconv.units import format_bytes

MAX_BYTES = 2**30
"""The largest file that is fetched from a URL."""

BLOCK = 2**20  # bytes that are read at a time

ATTEMPTS = 3
PAUSE = 0.5  # seconds before the second attempt, twice as long before the third

Result = TypeVar("Result")


@dataclass(frozen=True)
class Folder:
    """A local folder. Names are relative to it, with slashes."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def path(self, name: str) -> Path:
        """Return the path of a file that will be written, replaced or removed.

        Raises:
            DataError: the name leads out of the folder, or through a link inside it.
        """
        return contained(self.root, name, replaced=True)

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically."""
        write_bytes(self.path(name), content)

    def read(self, name: str) -> bytes | None:
        """Read a file; None if it does not exist.

        Raises:
            DataError: it is a link or a folder, or cannot be opened.
        """
        path = contained(self.root, name)
        try:
            if not stat.S_ISREG(path.lstat().st_mode):  # opening a pipe would block
                raise DataError("is a folder or a device", "a file", where=path)
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"cannot be read ({_reason(error)})", where=path) from error

    def names(self, folder: str = "", *, links: bool = False) -> set[str]:
        """List the files directly in `folder`; links only if `links`, whatever they lead to."""
        path = contained(self.root, folder) if folder else self.root
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(path) as entries,
        ):
            return {
                entry.name
                for entry in entries
                if entry.is_file(follow_symlinks=False) or (links and entry.is_symlink())
            }
        return set()

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.path(name).unlink()


@dataclass(frozen=True)
class Store:
    """A folder at a URL. Object stores guarantee that objects appear complete."""

    url: str

    def __str__(self) -> str:
        return self.url

    def write(self, name: str, content: bytes) -> None:
        """Write an object."""
        url = f"{self.url}/{name}"
        try:
            _retry(lambda: self._system.pipe_file(self._path(name), content))
        except OSError as error:
            raise OutputError(f"{url} could not be written: {_reason(error)}") from error

    def read(self, name: str) -> bytes | None:
        """Read an object; None if it does not exist."""
        try:
            return _retry(lambda: bytes(self._system.cat_file(self._path(name))))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{self.url}/{name} could not be read: {_reason(error)}") from error

    def names(self, folder: str = "", *, links: bool = False) -> set[str]:
        """List the objects directly in `folder`; a store has no links."""
        self._system.invalidate_cache()
        try:
            list_files = _retry(lambda: self._system.ls(self._path(folder), detail=True))
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise OutputError(f"{self.url} could not be listed: {_reason(error)}") from error
        return {entry["name"].rpartition("/")[2] for entry in list_files if entry["type"] == "file"}

    def remove(self, name: str) -> None:
        """Remove an object if it exists."""
        with suppress(FileNotFoundError):
            self._system.rm_file(self._path(name))

    @cached_property
    def _system(self) -> Any:
        return _system(self.url)[0]

    @cached_property
    def _root(self) -> str:
        return str(_system(self.url)[1]).rstrip("/")

    def _path(self, name: str) -> str:
        if name and not is_contained(name):
            raise DataError(f"names the object {name!r}", "a name without '..'", where=self.url)
        return f"{self._root}/{name}".rstrip("/")


Place = Folder | Store
"""Where files are written and read."""


def open_place(where: str | Path) -> Place:
    """Return the folder of a path or a file:// URL, or the store of another URL.

    Raises:
        ConfigError: the URL has an unknown scheme, or its package is not installed.
        MissingExtraError: fsspec is not installed.
    """
    if not is_url(str(where)):
        return Folder(Path(where))
    own = local_path(str(where))
    if own is not None:
        return Folder(own)
    store = Store(str(where).rstrip("/"))
    store._system  # noqa: B018 - raises now if the URL is wrong, not after an hour
    return store


def is_url(text: str) -> bool:
    """Whether a text is a URL: scheme://..."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def local_path(where: str) -> Path | None:
    """Return the path of a file:// URL or a plain path; None for other URLs."""
    if not is_url(where):
        return Path(where)
    parts = urlsplit(where)
    return Path(url2pathname(parts.path)) if parts.scheme.lower() == "file" else None


def fetch(url: str) -> bytes:
    """Download a file, block by block: what a server says of its size may be wrong, or missing.

    Raises:
        ImageError: it cannot be read, or is larger than `MAX_BYTES`.
    """
    system, path = _system(url)
    try:
        size = _retry(lambda: system.size(path))
        if size is not None and size > MAX_BYTES:
            raise _too_large(url, f"{format_bytes(size)}, ")
        return _retry(lambda: _read_blocks(system, path, url))
    except FileNotFoundError as error:
        raise ImageError(f"{url}: there is no such file") from error
    except OSError as error:
        raise ImageError(f"{url}: cannot be read ({_reason(error)})") from error


def _read_blocks(system: Any, path: str, url: str) -> bytes:
    """Read a file, and no more of it than `MAX_BYTES` and a block.

    Raises:
        ImageError: it is larger.
    """
    content = bytearray()
    # As one stream from a web server: not all of them send parts.
    options = {"block_size": 0} if url.lower().startswith(("http://", "https://")) else {}
    with system.open(path, "rb", **options) as file:
        while block := file.read(BLOCK):
            content += block
            if len(content) > MAX_BYTES:
                raise _too_large(url)
    return bytes(content)


def _too_large(url: str, size: str = "") -> ImageError:
    limit = format_bytes(MAX_BYTES)
    return ImageError(f"{url}: {size}more than the limit of {limit}; download it and give its path")


def list_files(url: str) -> Iterator[str]:
    """List the files of a URL: itself, the matches of its wildcards, or all below a folder."""
    system, path = _system(url)
    try:
        if any(sign in path for sign in "*?["):
            names = system.glob(path)
        elif system.isdir(path):
            names = system.find(path)
        else:
            names = [path] if system.exists(path) else []
    except OSError as error:
        raise ImageError(f"{url}: cannot be listed ({_reason(error)})") from error
    for name in sorted(names):
        yield str(system.unstrip_protocol(name))


def _system(url: str) -> tuple[Any, str]:
    fsspec = require("fsspec", extra="storage", what=f"reading and writing {url}")
    scheme = url.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        # The message of fsspec names the package: "Install s3fs to access S3".
        raise ConfigError(
            f"{url}: {scheme}:// needs a package that is not installed: {error}"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{url}: {error}; expected a path, or a URL such as s3://bucket/folder"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{url}: cannot be reached ({_reason(error)}); check the URL and the network"
        ) from error
    return system, str(path)


def _retry(action: Callable[[], Result]) -> Result:
    """Call `action`, again after a pause if the store fails temporarily."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return action()
        except (FileNotFoundError, PermissionError, ImageError):
            raise
        except OSError:
            sleep(PAUSE * 2**attempt)
    return action()


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
