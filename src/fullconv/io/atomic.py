"""A file appears whole or not at all: the only way in which any file is written."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fullconv.errors import OutputError


@contextmanager
def replacing(path: Path, size: int | None = None) -> Iterator[Path]:
    """Give a temporary path in `path`'s folder; when the block ends well, it becomes `path`.

    The content is on the disk before the name is (fsync, rename, fsync of the folder), so that a
    kill or a power cut leaves either the old file or the new one.

    Args:
        path: the file.
        size: bytes that it will have, for the message where they do not fit.

    Raises:
        OutputError: the folder cannot be written, or the disk is full; `path` is as it was.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        if isinstance(error, OutputError) or not _is_output_error(error):
            raise
        with suppress(OSError):  # it takes up what is free
            temporary.unlink()
        raise OutputError(_explain(error, path, size)) from error
    finally:
        with suppress(OSError):  # the folder itself may be what is wrong
            temporary.unlink(missing_ok=True)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; when the block ends well, it becomes `folder`.

    Raises:
        OutputError: `folder` holds something already, which is never overwritten, or cannot be
            written; nothing of it is left then.
    """
    temporary = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OutputError(f"{folder} exists and is never overwritten; choose another name")
        temporary.mkdir(parents=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, folder)
        _sync(folder.parent)
    except OSError as error:
        if isinstance(error, OutputError) or not _is_output_error(error):
            raise
        raise OutputError(_explain(error, folder)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Tell what is wrong where `path` cannot be written.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError) or not _is_output_error(error):
            raise
        raise OutputError(_explain(error, path)) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {
    errno.EEXIST,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}


def _is_output_error(error: OSError) -> bool:
    return error.errno in _FULL | _REFUSED | {errno.EIO, errno.EFBIG}


def _explain(error: OSError, path: Path, size: int | None = None) -> str:
    needed = "" if size is None else f"{size:,} bytes needed, "
    if error.errno in _FULL:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        free = shutil.disk_usage(folder).free
        return (
            f"{path} could not be written: the disk is full ({needed}{free:,} free); "
            "make room and run again"
        )
    if error.errno == errno.EFBIG:
        return (
            f"{path} could not be written: files may not be as large as that here ({needed}see "
            "`ulimit -f`); raise the limit and run again"
        )
    return f"{path} could not be written: {error.strerror}; choose another folder with --out"
