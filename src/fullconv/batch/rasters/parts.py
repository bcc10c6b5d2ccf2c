"""A long computation in parts: each is kept once it is complete, and none is computed twice."""

import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fullconv.batch.stored import parse_object
from fullconv.errors import ConfigError, OutputError
from fullconv.io.atomic import explained, replacing, write_text
from fullconv.io.contained import contained
from fullconv.io.locks import try_lock
from fullconv.io.regular import open_regular, read_regular

_LOCK = "lock"
_CLAIMED = "outputs.json"
_OWN_FILES = ("*.part", "job.json", _CLAIMED, "*.tif", ".*.tmp")
_COUNTS = struct.Struct("<QQ")  # the head of each part's file


class PartStore:
    """The finished parts of one file, in a hidden folder beside it.

    A kill at any moment leaves it usable: each part appears complete or not at all.

    Attributes:
        folder: the hidden folder.
        plan: how the work was divided when it began.
        resumed: whether another process began it.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], resumed: bool) -> None:
        self.folder, self.plan, self.resumed = folder, plan, resumed

    def has(self, number: int) -> bool:
        """Whether a part is complete."""
        return self._path(number).exists()

    def keep(self, number: int, pieces: Iterable[bytes], counts: tuple[int, int] = (0, 0)) -> None:
        """Keep a part's bytes, compressed, and two numbers that belong to it.

        Raises:
            OutputError: the disk is full.
        """
        compressor = zlib.compressobj(1)
        with replacing(self._path(number)) as temporary, temporary.open("wb") as file:
            file.write(_COUNTS.pack(*counts))
            for piece in pieces:
                file.write(compressor.compress(piece))
            file.write(compressor.flush())

    def read(self, number: int) -> Iterator[bytes]:
        """Read a part's bytes, in pieces.

        Raises:
            OutputError: it is damaged; it is removed, so the next run computes it again.
        """
        decompressor = zlib.decompressobj()
        path = self._path(number)
        with self._damage(path), open_regular(path) as file:
            file.seek(_COUNTS.size)
            while block := file.read(1 << 16):
                yield decompressor.decompress(block)
            if not decompressor.eof:
                raise zlib.error("it ends too early")

    def counts(self, number: int) -> tuple[int, int]:
        """Read the two numbers that were kept with a part.

        Raises:
            OutputError: it is damaged; it is removed, so the next run computes it again.
        """
        path = self._path(number)
        with self._damage(path), open_regular(path) as file:
            first, second = _COUNTS.unpack(file.read(_COUNTS.size))
        return first, second

    @staticmethod
    @contextmanager
    def _damage(path: Path) -> Iterator[None]:
        try:
            yield
        except (zlib.error, struct.error) as error:
            path.unlink()
            raise OutputError(
                f"{path} was damaged ({error}) and has been removed; run the command again"
            ) from error

    def claim(self, names: Iterable[str]) -> None:
        """Note which files a later run may replace, by their names; see `claimed_outputs`."""
        known = {*names, *_read_claimed(self.folder)}
        write_text(self.folder / _CLAIMED, json.dumps({"names": sorted(known)}) + "\n")

    def clear(self) -> None:
        """Remove all parts, once the file is complete."""
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
    """Open the parts of `target`, locked against other processes.

    Args:
        target: the file to make.
        job: everything that its content depends on, as JSON.
        plan: divides the work, if there are no parts yet.
        fresh: discard the parts that are there.

    Raises:
        ConfigError: there are parts of another job, or another process has the lock.
        OutputError: the folder cannot be written.
    """
    folder = contained(target.parent, _folder(target).name)
    with explained(target):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, target):
        try:
            yield _open(folder, target, job, plan, fresh)
        finally:
            if not any(folder.glob("*.part")):
                shutil.rmtree(folder, ignore_errors=True)


def claimed_outputs(target: Path, job: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of `target` and files beside it that a killed run of this job may replace.

    Files that it had not begun to write are not among them: they are another program's.
    """
    stored = _read_job(_folder(target))
    own = stored is not None and stored["job"] == _as_json(job)
    return _read_claimed(_folder(target)) if own else frozenset()


def _read_claimed(folder: Path) -> frozenset[str]:
    try:
        names = parse_object(read_regular(folder / _CLAIMED)).get("names")
    except (OSError, ValueError):
        return frozenset()
    return frozenset(name for name in names or () if isinstance(name, str))


def remove_parts(target: Path) -> None:
    """Remove the parts of a complete file, which a kill may have left."""
    shutil.rmtree(_folder(target), ignore_errors=True)  # removes nothing behind a link


def _folder(target: Path) -> Path:
    return target.parent / f".{target.name}.parts"


def _open(
    folder: Path,
    target: Path,
    job: Mapping[str, Any],
    plan: Callable[[], Mapping[str, Any]],
    fresh: bool,
) -> PartStore:
    stored = None if fresh else _read_job(folder)
    if stored is not None:
        if stored["job"] != _as_json(job):
            raise ConfigError(
                f"{target} was started with other settings: "
                f"{_differences(stored['job'], _as_json(job))}; "
                "choose another name with --out, or start over with --fresh"
            )
        _remove(folder, ".*.tmp")
        return PartStore(folder, stored["plan"], True)
    for pattern in _OWN_FILES:
        _remove(folder, pattern)
    content: dict[str, Any] = {"job": job, "plan": plan()}
    content["check"] = _checksum(content)
    write_text(folder / "job.json", json.dumps(content, indent=1) + "\n")
    return PartStore(folder, content["plan"], False)


def _read_job(folder: Path) -> Any:
    """Read job.json; None if it is missing or damaged."""
    try:
        content = parse_object(read_regular(folder / "job.json"))
    except (OSError, ValueError):
        return None
    complete = isinstance(content.get("job"), dict) and isinstance(content.get("plan"), dict)
    return content if complete and content.get("check") == _checksum(content) else None


def _checksum(content: Mapping[str, Any]) -> int:
    """Return a checksum of job and plan, without which a changed plan would go unnoticed."""
    text = json.dumps([content["job"], content["plan"]], sort_keys=True)
    return zlib.crc32(text.encode())


def _as_json(job: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(job))


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return ", ".join(f"{key} was {before.get(key)} and is {now.get(key)}" for key in keys)


def _remove(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        path.unlink()


@contextmanager
def _locked(folder: Path, target: Path) -> Iterator[None]:
    with explained(target):
        mode = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(contained(folder, _LOCK), mode, 0o666)
    try:
        if not try_lock(handle):
            raise ConfigError(
                f"another `fullconv predict` is writing {target}; wait until it is done, or choose "
                "another name with --out"
            )
        yield
    finally:
        os.close(handle)
