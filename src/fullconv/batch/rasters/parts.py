"""A long piece of work in parts: each is kept once it is whole, and none is done twice."""

import errno
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fullconv.errors import ConfigError, OutputError
from fullconv.io.atomic import explained, replacing, write_text

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks
    fcntl = None  # type: ignore[assignment]

_LOCK = "lock"
COUNTS = struct.Struct("<QQ")
"""What stands before a part: two numbers, of whoever made it."""


class PartStore:
    """What is done of one file that is in the making.

    The parts lie in a hidden folder beside it, which a kill at any moment leaves usable: each part
    appears whole or not at all.

    Attributes:
        folder: theirs.
        plan: how the work was divided when it began.
        resumed: whether it began before this process.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], resumed: bool) -> None:
        self.folder, self.plan, self.resumed = folder, plan, resumed

    def has(self, number: int) -> bool:
        """Whether a part is done."""
        return self._path(number).exists()

    def keep(self, number: int, pieces: Iterable[bytes], counts: tuple[int, int] = (0, 0)) -> None:
        """Keep a part, compressed.

        Args:
            number: its own.
            pieces: its bytes.
            counts: two numbers that are kept with it.

        Raises:
            OutputError: the disk is full.
        """
        packed = zlib.compressobj(1)
        with replacing(self._path(number)) as temporary, temporary.open("wb") as file:
            file.write(COUNTS.pack(*counts))
            for piece in pieces:
                file.write(packed.compress(piece))
            file.write(packed.flush())

    def read(self, number: int) -> Iterator[bytes]:
        """The bytes of a part, in pieces.

        Raises:
            OutputError: it is damaged; it is then removed, so that it will be done again.
        """
        unpacked = zlib.decompressobj()
        try:
            with self._path(number).open("rb") as file:
                file.seek(COUNTS.size)
                while block := file.read(1 << 16):
                    yield unpacked.decompress(block)
            if not unpacked.eof:
                raise zlib.error("it ends too early")
        except zlib.error as error:
            path = self._path(number)
            path.unlink()
            raise OutputError(f"{path} was damaged ({error}) and is removed; run again") from error

    def counts(self, number: int) -> tuple[int, int]:
        """The two numbers that are kept with a part."""
        with self._path(number).open("rb") as file:
            first, second = COUNTS.unpack(file.read(COUNTS.size))
        return first, second

    def clear(self) -> None:
        """Remove all of it: the file is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.part"


@contextmanager
def open_parts(
    target: Path,
    job: Mapping[str, Any],
    plan: Callable[[], Mapping[str, Any]],
    fresh: bool = False,
) -> Iterator[PartStore]:
    """The parts of `target`, which nobody else works on meanwhile.

    Args:
        target: the file in the making.
        job: all that its content depends on.
        plan: says how to divide the work, if it has not begun.
        fresh: forget what is done.

    Raises:
        ConfigError: another job's parts lie there, or another process works on it.
        OutputError: the folder cannot be written.
    """
    folder = _folder(target)
    with explained(target):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, target):
        try:
            yield _begun(folder, target, job, plan, fresh)
        finally:
            if not any(folder.glob("*.part")):
                shutil.rmtree(folder, ignore_errors=True)


def begun(target: Path, job: Mapping[str, Any]) -> bool:
    """Whether parts of this job lie beside `target`."""
    known = _known(_folder(target))
    return known is not None and known["job"] == json.loads(json.dumps(job))


def forget(target: Path) -> None:
    """Remove the parts of a file that is whole, which a kill may have left."""
    shutil.rmtree(_folder(target), ignore_errors=True)


def _folder(target: Path) -> Path:
    return target.parent / f".{target.name}.parts"


def _begun(
    folder: Path,
    target: Path,
    job: Mapping[str, Any],
    plan: Callable[[], Mapping[str, Any]],
    fresh: bool,
) -> PartStore:
    known = None if fresh else _known(folder)
    if known is not None:
        job = json.loads(json.dumps(job))  # as it reads back
        if known["job"] != job:
            raise ConfigError(
                f"{target} was begun otherwise: {_difference(known['job'], job)}; choose another "
                "name with --out, or begin anew with --fresh"
            )
        _sweep(folder, ".*.tmp")
        return PartStore(folder, known["plan"], True)
    _sweep(folder, "*")
    known = {"job": job, "plan": plan()}
    write_text(folder / "job.json", json.dumps(known, indent=1) + "\n")
    return PartStore(folder, known["plan"], False)


def _known(folder: Path) -> Any:
    """What job.json says; None where there is none."""
    try:
        known = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(known, dict) and {"job", "plan"} <= known.keys()
    return known if whole and isinstance(known["job"], dict) else None


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return ", ".join(f"{key} was {before.get(key)} and is {now.get(key)}" for key in keys)


def _sweep(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        if path.name != _LOCK:
            path.unlink()


@contextmanager
def _locked(folder: Path, target: Path) -> Iterator[None]:
    with explained(target):
        file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _lock(file, target)
        yield
    finally:
        os.close(file)


def _lock(file: int, target: Path) -> None:
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise  # pragma: no cover
        raise ConfigError(
            f"another `fullconv predict` is writing {target}; wait until it is done, or choose "
            "another name with --out"
        ) from error
