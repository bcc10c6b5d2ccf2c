"""What a run was trained on: names, files, classes and splits, to notice that they changed.

A run stores it in data.json, and its digest in every checkpoint. Paths, times and machines are no
part of it, so a data set may be copied elsewhere.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullconv.data.sample import Data, Pair
from fullconv.errors import DataError
from fullconv.io.atomic import write_text
from fullconv.io.images import input_file
from fullconv.io.regular import open_regular, read_regular
from fullconv.io.text import parse_json
from fullconv.units import count

BLOCK = 16 * 1024  # bytes that are read at the start, in the middle and at the end of a photo
MAX_WHOLE = 64 * 2**20  # bytes up to which the file of a mask is read as a whole
MAX_NAMES = 3  # in a message

Files = tuple[str, str]  # digests of a sample's photo and of the file that holds its labels
Splits = Mapping[str, Mapping[str, Files]]


@dataclass(frozen=True)
class DataFingerprint:
    """The identity of the data of a run.

    Attributes:
        classes: class names, in order; those of several heads with the head.
        palette: digest of their colours.
        rule: digest of how mask values become classes.
        splits: split -> sample -> digests of its files; "" without files.
    """

    classes: tuple[str, ...]
    palette: str
    rule: str
    splits: Splits

    @property
    def digest(self) -> str:
        """One number for all of it, in hexadecimal."""
        return _digest(self.as_text().encode())

    def as_text(self) -> str:
        """Return the content of data.json: one line per sample."""
        lines = []
        for split, samples in self.splits.items():
            inner = ",\n".join(
                f"  {_json(name)}: {_json(files)}" for name, files in samples.items()
            )
            lines.append(f" {_json(split)}: {{\n{inner}\n }}")
        facts = {"classes": self.classes, "palette": self.palette, "rule": self.rule}
        head = "".join(f'"{name}": {_json(value)},\n' for name, value in facts.items())
        return f'{{{head}"splits": {{\n' + ",\n".join(lines) + "\n}}\n"

    @classmethod
    def read(cls, path: Path) -> "DataFingerprint | None":
        """Read data.json; None if it is missing or damaged."""
        try:
            content = parse_json(read_regular(path), file_names=True)
            splits = {
                str(split): {
                    str(name): (str(files[0]), str(files[1])) for name, files in of.items()
                }
                for split, of in content["splits"].items()
            }
            facts = (str(content["palette"]), str(content["rule"]))
            return cls(tuple(map(str, content["classes"])), *facts, splits)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def differences(self, now: "DataFingerprint") -> Iterator[str]:
        """Describe how the data differs now from this; nothing if it is the same."""
        if self.classes != now.classes:
            yield f"the classes were {', '.join(self.classes)}, and are {', '.join(now.classes)}"
        elif self.palette != now.palette:
            yield "the colours of the classes changed"
        elif self.rule != now.rule:
            yield "the rule from mask values to classes and ignored pixels changed"
        before, after = self._split_of(), now._split_of()
        yield from _named("photo", "was removed", "were removed", before.keys() - after.keys())
        yield from _named("photo", "was added", "were added", after.keys() - before.keys())
        both = before.keys() & after.keys()
        moved = {name for name in both if before[name] != after[name]}
        yield from _named("photo", "changed its split", "changed their split", moved)
        for index, noun in enumerate(("photo", "mask")):
            changed = {n for n in both if self._files(n)[index] != now._files(n)[index]}
            yield from _named(noun, "changed", "changed", changed)
        if self.splits.keys() == now.splits.keys() and not moved and before.keys() == after.keys():
            reordered = any([*self.splits[s]] != [*now.splits[s]] for s in self.splits)
            if reordered:
                yield "the order of the photos changed"

    def _split_of(self) -> dict[str, str]:
        return {name: split for split, samples in self.splits.items() for name in samples}

    def _files(self, name: str) -> Files:
        return next(samples[name] for samples in self.splits.values() if name in samples)


def fingerprint(train: Data, val: Data) -> DataFingerprint:
    """Return the identity of the data of a run; `val` may be `train` itself."""
    parts = {"train": train} if val is train else {"train": train, "val": val}
    known: dict[tuple[Path, bool], str] = {}
    splits = {split: _samples(part, known) for split, part in parts.items()}
    palettes = [head.palette for head in train.heads] or train.palette
    palette = _digest(_json(_plain(palettes)).encode())
    return DataFingerprint(tuple(train.score_names), palette, _rule(train), splits)


def check_unchanged(path: Path, now: DataFingerprint, stored: str | None, source: str) -> None:
    """Check that a run's data is that which it was started on; write data.json if it is missing.

    Args:
        path: data.json of the run.
        now: the data as it is.
        stored: the digest in the run's checkpoint; None without one.
        source: the data set as the user named it.

    Raises:
        DataError: the data is different; says what differs.
    """
    before = DataFingerprint.read(path)
    known = stored or (before.digest if before else now.digest)
    if known == now.digest:
        if before is None or before.digest != known:
            write_text(path, now.as_text())
        return
    recorded = before is not None and before.digest == known
    differences = [*before.differences(now)] if before and recorded else []
    what = (
        "; ".join(differences) or "what exactly is unknown, since data.json is missing or damaged"
    )
    raise DataError(
        f"the data set changed since this run was started on it: {what}",
        expected="the photos, masks, classes and splits that the run was started on",
        remedy="restore them to resume, or start a new run without --resume",
        where=source,
    )


def _samples(data: Data, known: dict[tuple[Path, bool], str]) -> dict[str, Files]:
    pairs: tuple[Pair, ...] | None = getattr(data.read, "pairs", None)
    if pairs is None or len(pairs) != len(data):
        return dict.fromkeys(data.names, ("", ""))
    return {
        pair.name: (_of_image(pair.photo, data, known), _of_masks(pair, known)) for pair in pairs
    }


def _of_masks(pair: Pair, known: dict[tuple[Path, bool], str]) -> str:
    """Return the digest of a sample's mask, or of those of all heads."""
    return "-".join(_of(path, True, known) for path in (pair.mask, *pair.others))


def _of_image(photo: Path, data: Data, known: dict[tuple[Path, bool], str]) -> str:
    """Return the digest of a photo and of the data set's other inputs that belong to it."""
    files = [photo, *(input_file(photo, extra) for extra in data.inputs)]
    return "-".join(_of(path, False, known) for path in files)


def _of(path: Path, whole: bool, known: dict[tuple[Path, bool], str]) -> str:
    """Return the digest of a file, which several samples may share; "" if there is none."""
    if (path, whole) not in known:
        known[path, whole] = ""
        with suppress(OSError):
            known[path, whole] = _file_digest(path, whole)
    return known[path, whole]


def _file_digest(path: Path, whole: bool) -> str:
    with open_regular(path) as file:
        size = file.seek(0, 2)
        if size <= (MAX_WHOLE if whole else 3 * BLOCK):
            starts, block = range(0, size, 2**20), 2**20
        else:
            parts = 64 if whole else 2
            starts, block = range(0, size - BLOCK + 1, (size - BLOCK) // parts), BLOCK
        content = hashlib.blake2b(str(size).encode(), digest_size=8)
        for start in starts:
            file.seek(start)
            content.update(file.read(block))
    return content.hexdigest()


def _rule(data: Data) -> str:
    """Return the digest of how labels are read: the table of masks, or some samples' labels."""
    table = getattr(data.read, "table", None)
    if table is not None:
        return _digest(_json(_plain(table)).encode())
    if getattr(data.read, "pairs", None) is None:
        return ""
    some = sorted({0, len(data) // 2, len(data) - 1})
    samples = [data[index] for index in some]
    labels = [part for sample in samples for part in (sample.labels, *sample.others)]
    return _digest(b"".join(part.tobytes() for part in labels))


def _plain(value: Any) -> Any:
    """Return the settings of a table of labels as plain values, without texts for messages."""
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {name: _plain(getattr(value, name)) for name in fields if name != "remedy"}
    if isinstance(value, Mapping):
        return sorted((_json(_plain(key)), _plain(inner)) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | None) else type(value).__name__


def _named(noun: str, one: str, several: str, names: set[str]) -> Iterator[str]:
    if names:
        shown = ", ".join(sorted(names)[:MAX_NAMES]) + (", ..." if len(names) > MAX_NAMES else "")
        yield f"{count(len(names), noun)} {one if len(names) == 1 else several} ({shown})"


def _json(value: object) -> str:
    return json.dumps(value)  # in ASCII, since a file name need not be valid text


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
