"""Write files that appear complete or not at all; all files are written this way."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fullconv.errors import ConfigError, OutputError
from fullconv.io.temporaries import sweep_once, target_name, temporary_path

_STATUS = Path("/proc/self/status")  # where Linux states the umask
# Elsewhere it has to be set to be read: once, since that changes it for all threads for a moment.
_UMASK = os.umask(0)
os.umask(_UMASK)


@contextmanager
def replacing(path: Path, size: int | None = None, previous: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; after the block it is renamed to `path`.

    The content is on disk before the name is (fsync, rename, fsync of the folder): after a kill or
    a power failure there is the old file or the new one. What a kill leaves of the temporary file
    is removed by the next process that writes into the folder.

    Args:
        path: the file to write.
        size: bytes that it will have, for the message if the disk is full.
        previous: where the file that is replaced is kept; None does not keep it.

    Raises:
        OutputError: the folder cannot be written, or the disk is full; `path` is unchanged.
    """
    if is_special(path) or os.path.isdir(path):
        found = "a folder" if os.path.isdir(path) else "a device or a pipe"
        raise OutputError(f"{path} is {found}; expected the name of a file")
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(path.parent)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        _sync(temporary)
        if previous:
            _keep(path, previous)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        if isinstance(error, OutputError) or not _is_output_error(error):
            raise
        with suppress(OSError):  # before the message tells how many bytes are free
            temporary.unlink()
        raise OutputError(_explain(error, path, size)) from error
    finally:
        with suppress(OSError):  # the folder itself may be the problem
            temporary.unlink(missing_ok=True)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; after the block it is renamed to `folder`.

    Raises:
        OutputError: `folder` is not empty (it is never overwritten), or cannot be written; then
            nothing is left of it.
    """
    temporary = temporary_path(folder)
    try:
        sweep_once(folder.parent)
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
def staging(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, for programs that write other files than one.

    It is removed afterwards, or after a kill by the next process that writes there.
    """
    temporary = temporary_path(path)
    try:
        sweep_once(path.parent)
        temporary.mkdir(mode=0o700, parents=True)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a temporary folder in the system's folder for them, as `staging` does."""
    with staging(Path(tempfile.gettempdir(), "fullconv")) as folder:
        yield folder


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise an OutputError that names the reason if `path` cannot be written.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError) or not _is_output_error(error):
            raise
        raise OutputError(_explain(error, path)) from error


def is_special(path: Path) -> bool:
    """Whether a name is that of a device or a pipe, such as /dev/null, which a file would replace.

    Also /dev/stdout and /dev/fd/1, which are links to whatever is open there.
    """
    folder = os.path.realpath(path.parent)
    is_other = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    return is_other or folder == "/dev" or folder.startswith(("/proc/", "/dev/fd"))


def check_suffix(path: str | Path, suffix: str, what: str, remedy: str) -> None:
    """Check that a file to write has the suffix of its format, or none.

    Args:
        path: as the user named it.
        suffix: of the format, e.g. ".png".
        what: is written, e.g. "a model".
        remedy: how another format is written.

    Raises:
        ConfigError: it has another one, by which programs would take it for another format.
    """
    if Path(path).suffix.lower() not in (suffix, ""):
        raise ConfigError(f"{path}: {what} is written as {suffix}; give that suffix ({remedy})")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, as `replacing` does."""
    with replacing(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist; it appears complete, and never replaces another.

    Raises:
        FileExistsError: there is a file, a folder or a link of this name; it is unchanged.
        OutputError: the folder cannot be written, or the disk is full; nothing is written.
    """
    temporary = temporary_path(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        sweep_once(path.parent)
        _write_with(temporary, content, flags)
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # the file system has no hard links
            _write_with(path, content, flags)
        _sync(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        if isinstance(error, OutputError) or not _is_output_error(error):
            raise
        raise OutputError(_explain(error, path, len(content))) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_with(path: Path, content: bytes, flags: int) -> None:
    handle = os.open(path, flags, 0o666)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def write_text(path: Path, content: str) -> None:
    """Write a file in UTF-8, as `replacing` does."""
    # Surrogates stand for bytes of file names that are no UTF-8, and are written as "\\udcff".
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def remove_temporaries(path: Path) -> None:
    """Remove temporary files of `path` that killed processes left; no other may be writing it."""
    for name in os.listdir(path.parent) if path.parent.is_dir() else ():
        if target_name(name) == path.name:
            (path.parent / name).unlink(missing_ok=True)


def _keep(path: Path, previous: Path) -> None:
    """Keep a file under a second name; it stays in place until it is replaced."""
    if not path.is_file():
        return
    temporary = temporary_path(previous)
    try:
        os.link(path, temporary)
        os.replace(temporary, previous)
    except OSError:  # the file system has no hard links
        with replacing(previous, path.stat().st_size) as copy:
            shutil.copyfile(path, copy)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Return which permissions new files do not get."""
    with suppress(OSError, TypeError):
        found = re.search(r"^Umask:\s*([0-7]+)$", _STATUS.read_text("utf-8", "replace"), re.M)
        return int(found[1], 8)  # type: ignore[index]  # None is a TypeError: not stated there
    return _UMASK


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # pragma: no cover - Windows cannot open folders
        return
    # Windows syncs only what is open for writing.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
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
    return error.errno in _DISK_FULL | _REFUSED | {errno.EIO, errno.EFBIG}


def _explain(error: OSError, path: Path, size: int | None = None) -> str:
    needed = "" if size is None else f"{size:,} bytes needed, "
    if error.errno in _DISK_FULL:
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        free = shutil.disk_usage(folder).free
        return (
            f"{path} could not be written: the disk is full ({needed}{free:,} free); free some "
            "space and run the command again"
        )
    if error.errno == errno.EFBIG:
        return (
            f"{path} could not be written: it exceeds the limit of file sizes ({needed}see "
            "`ulimit -f`); raise the limit and run the command again"
        )
    return f"{path} could not be written: {error.strerror}; choose another folder with --out"
