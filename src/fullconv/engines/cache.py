"""The cache of converted networks: one folder per network, the oldest removed beyond a bound.

KEY/network.onnx     the network's graph and weights, which every engine reads
KEY/entry.json       its size and checksum, and a name for users
KEY/MACHINE.json     what was measured on a kind of machine, see `Measured`
KEY/MACHINE.ENGINE.json    of images in windows, see `WindowCosts`
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import Field
from torch import nn

from fullconv._version import __version__
from fullconv.config import Settings, Size
from fullconv.hardware import installed_versions, processor_name, usable_cores
from fullconv.inference.planner.windows import Cost
from fullconv.io.atomic import building, write_text
from fullconv.io.caches import cache_folder, total_bytes
from fullconv.io.locks import locked
from fullconv.io.text import parse_json, read_utf8

GRAPH, ENTRY = "network.onnx", "entry.json"
MOST_BYTES = 2 * 2**30  # of all entries; a VGG-16 takes a quarter of it
CONVERTERS = ("torch", "onnx", "onnx-ir", "onnxscript")
RUNTIMES = ("torch", "onnxruntime", "openvino")
_KEY = re.compile("[0-9a-f]{32}")

Kind = TypeVar("Kind", bound=Settings)


class Entry(Settings):
    """What is stored of a converted network beside its graph.

    Attributes:
        name: of its architecture, for users.
        bytes: size of the graph.
        sha256: of the graph.
        converted: seconds that the conversion took.
    """

    name: str
    bytes: int
    sha256: str
    converted: float


class Measured(Settings):
    """What was measured of a network's engines on a machine.

    Attributes:
        size: (height, width) of the image.
        seconds: engine -> least seconds of an image, PyTorch's included.
        opening: engine -> seconds to open it.
        difference: engine -> largest difference of a score from PyTorch's, relative to the largest.
        refused: engine -> why it cannot be used.
    """

    size: Size
    seconds: dict[str, float]
    opening: dict[str, float] = Field(default_factory=dict)
    difference: dict[str, float] = Field(default_factory=dict)
    refused: dict[str, str] = Field(default_factory=dict)


class WindowCosts(Settings):
    """What was measured of an engine's windows on a machine, in seconds.

    Attributes:
        whole: for each window of the network as one stage, and for each pixel in it.
        stages: likewise, of each stage; () if it cannot be computed in stages.
        strips: of PyTorch's strips, for each pixel; None if the network has none.
    """

    whole: Cost
    stages: tuple[Cost, ...]
    strips: float | None


@dataclass(frozen=True)
class CachedNetwork:
    """An entry of the cache, for users.

    Attributes:
        folder: of the entry.
        entry: what is stored of it.
        bytes: of all of its files.
        used: when it was last used, in seconds since 1970.
        measured: what was measured, on each kind of machine.
    """

    folder: Path
    entry: Entry
    bytes: int
    used: float
    measured: tuple[Measured, ...]


def engine_cache() -> Path:
    """Return the folder of the cache.

    Raises:
        OutputError: this user has no home folder.
    """
    return cache_folder("engines")


def network_key(network: nn.Module) -> str:
    """Return the fingerprint of a network and of what converts it: 32 hexadecimal digits."""
    architecture, normalization = network.architecture, network.normalization
    assert isinstance(architecture, Settings) and isinstance(normalization, Settings)
    facts = [architecture.model_dump_json(), normalization.model_dump_json(), __version__]
    digest = hashlib.sha256(json.dumps([*facts, installed_versions(CONVERTERS)]).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        content = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        digest.update(memoryview(content.numpy()))
    return digest.hexdigest()[:32]


def machine_key(threads: int) -> str:
    """Return the fingerprint of what speed and rounding depend on: 16 hexadecimal digits."""
    facts = [processor_name(), usable_cores(), threads, installed_versions(RUNTIMES)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def cached_graph(folder: Path) -> tuple[Path, Entry] | None:
    """Return the graph of an entry; None if there is none, or it is damaged."""
    entry = _read(folder / ENTRY, Entry)
    path = folder / GRAPH
    if entry is None or not path.is_file() or path.stat().st_size != entry.bytes:
        return None
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != entry.sha256:
            return None
    with suppress(OSError):  # a cache that cannot be written can still be read
        os.utime(folder)
    return path, entry


def write_graph(folder: Path, name: str, convert: Callable[[Path], float]) -> Path:
    """Store the graph that `convert` writes as a new entry, and return its path; make room for it.

    Args:
        folder: of the entry; one that is damaged is replaced.
        name: of the network, for users.
        convert: writes the graph, and returns the seconds that it took.

    Raises:
        OutputError: the cache cannot be written.
    """
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
    with building(folder) as temporary:
        path = temporary / GRAPH
        seconds = convert(path)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        entry = Entry(name=name, bytes=path.stat().st_size, sha256=digest, converted=seconds)
        write_text(temporary / ENTRY, entry.model_dump_json())
    make_room(folder.parent, keep=folder.name)
    return folder / GRAPH


def read_measured(folder: Path, machine: str) -> Measured | None:
    """Return what was measured on this kind of machine; None if nothing was.

    Also None where the graph is gone: another process may have removed it while this was measured.
    """
    if not (folder / ENTRY).is_file():
        return None
    return _read(folder / f"{machine}.json", Measured)


def write_measured(folder: Path, machine: str, measured: Measured) -> None:
    """Store what was measured.

    Raises:
        OutputError: the cache cannot be written.
    """
    write_text(folder / f"{machine}.json", measured.model_dump_json())


def read_costs(folder: Path, machine: str, engine: str) -> WindowCosts | None:
    """Return what was measured of an engine's windows on this kind of machine, if it was."""
    return _read(folder / f"{machine}.{engine}.json", WindowCosts)


def write_costs(folder: Path, machine: str, engine: str, costs: WindowCosts) -> None:
    """Store what was measured of an engine's windows.

    Raises:
        OutputError: the cache cannot be written.
    """
    write_text(folder / f"{machine}.{engine}.json", costs.model_dump_json())


def list_cache() -> list[CachedNetwork]:
    """Return all entries, the last used first.

    Raises:
        OutputError: this user has no home folder.
    """
    found = []
    for folder in _folders(engine_cache()):
        entry = _read(folder / ENTRY, Entry)
        if entry is not None:
            others = [p for p in sorted(folder.glob("*.json")) if p.name != ENTRY]
            measured = tuple(m for p in others if (m := _read(p, Measured)))
            found.append(CachedNetwork(folder, entry, _bytes(folder), _used(folder), measured))
    return sorted(found, key=lambda item: -item.used)


def clear_cache() -> int:
    """Remove all entries, also damaged ones; return the bytes that they took.

    Raises:
        OutputError: this user has no home folder.
    """
    folders = _folders(engine_cache())
    before = sum(map(_bytes, folders))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return before - sum(map(_bytes, folders))


def make_room(root: Path, keep: str, most: int = MOST_BYTES) -> None:
    """Remove the entries that were not used for longest until all take at most `most` bytes."""
    entries = sorted(_folders(root), key=_used, reverse=True)
    total = 0
    for folder in sorted(entries, key=lambda path: path.name != keep):
        total += _bytes(folder)
        if total > most and folder.name != keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cache_lock(root: Path) -> Iterator[None]:
    """Wait until no other process converts a network into the cache.

    Raises:
        OSError: the folder cannot be made.
    """
    root.mkdir(parents=True, exist_ok=True)
    with locked(root):
        yield


def _folders(root: Path) -> list[Path]:
    """Return the folders of all entries, also of damaged ones."""
    names = sorted(os.listdir(root)) if root.is_dir() else []
    found = [root / name for name in names if not name.startswith(".")]  # being written
    return [one for one in found if _KEY.fullmatch(one.name) or (one / ENTRY).is_file()]


def _bytes(folder: Path) -> int:
    """Return the bytes of an entry's files; 0 if another process has removed it meanwhile."""
    with suppress(OSError):
        return total_bytes(list(folder.iterdir()))
    return 0


def _used(folder: Path) -> float:
    """Return when an entry was last used; 0 if another process has removed it meanwhile."""
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    try:
        values: Any = parse_json(read_utf8(path))
        return kind.checked(**values)
    except (OSError, ValueError, TypeError):
        return None
