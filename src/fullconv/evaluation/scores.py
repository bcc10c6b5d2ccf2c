"""The scores of an evaluation, of this process or stored in its files, and whether two compare."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fullconv.errors import ConfigError, DataError
from fullconv.evaluation.evaluation import Evaluation
from fullconv.evaluation.image_counts import ImageCounts
from fullconv.evaluation.result_files import METRICS, PER_IMAGE
from fullconv.io.output_text import csv_cell
from fullconv.io.text import read_json, read_utf8

_EXPECTED = "the metrics.json and per_image.csv of one fullconv evaluate"


@dataclass(frozen=True)
class Scores:
    """What a comparison needs of an evaluation.

    Attributes:
        name: of the model, for messages.
        classes: class names.
        counts: true positives, false positives and false negatives of each image.
        groups: the group of each image, if a rule was given.
        protocol: how the metrics were computed, in clauses separated by "; ".
        digest: identity of the images' names and labels.
    """

    name: str
    classes: tuple[str, ...]
    counts: ImageCounts = field(repr=False)
    groups: tuple[str, ...] | None
    protocol: str
    digest: str

    @classmethod
    def of(cls, evaluation: Evaluation, name: str) -> "Scores":
        """Return the scores of an evaluation."""
        digest = evaluation.images.digest
        kept = evaluation.classes, evaluation.counts, evaluation.groups
        return cls(name, *kept, evaluation.protocol, digest)


def holds_scores(path: Path) -> bool:
    """Return whether a path is a metrics.json, or a folder with one."""
    return path.name == METRICS or (path / METRICS).is_file()


def read_scores(path: Path, name: str = "") -> Scores:
    """Read the scores from metrics.json and per_image.csv; `path` is a folder or metrics.json.

    Raises:
        DataError: a file is missing, damaged, or of another program.
    """
    folder = path if path.is_dir() else path.parent
    heads: list[str] = []
    try:
        metrics = read_json(folder / METRICS)
        heads = [*map(str, metrics["heads"])] if "heads" in metrics else []
        classes = tuple(map(str, metrics["per_class"]))
        rows = [*csv.reader(read_utf8(folder / PER_IMAGE).splitlines())][1:]
        width = 3 * len(classes)
        values = np.array([row[-width:] for row in rows], np.int64).reshape(-1, len(classes), 3)
        names, groups = (tuple(row[column] for row in rows) for column in (0, 1))
        return Scores(
            name or str(path),
            classes,
            ImageCounts(names, values),
            groups if any(groups) else None,
            str(metrics["protocol"]),
            str(metrics["labels_digest"]),
        )
    except (ValueError, LookupError, TypeError, OverflowError, csv.Error) as error:
        if heads:
            raise ConfigError(
                f"{folder} has the metrics of the heads {', '.join(heads)}; compare those of one, "
                f"e.g. {folder / heads[0]}"
            ) from error
        raise DataError("the files are damaged", expected=_EXPECTED, where=folder) from error


def check_protocols(first: Scores, second: Scores, anyway: bool) -> list[str]:
    """Return how the protocols differ, one line for each difference.

    Raises:
        ConfigError: they differ and `anyway` is not set, or the classes or images differ, which
            cannot be compared.
    """
    if first.classes != second.classes:
        raise ConfigError(
            f"{first.name} has the classes {', '.join(first.classes)}, {second.name} has "
            f"{', '.join(second.classes)}; expected equal classes"
        )
    # per_image.csv has names that begin like a formula with an apostrophe.
    if [*map(csv_cell, first.counts.names)] != [*map(csv_cell, second.counts.names)]:
        raise ConfigError(
            f"{first.name} and {second.name} were evaluated on other images "
            f"({len(first.counts.names)} and {len(second.counts.names)}); evaluate both on the same"
        )
    lines = [*_protocol_differences(first, second)]
    if first.digest != second.digest:
        lines.append(f"the labels differ ({first.digest} and {second.digest})")
    if lines and not anyway:
        raise ConfigError(
            f"{first.name} and {second.name} were not evaluated in the same way: "
            f"{'; '.join(lines)}; evaluate both in the same way, or add --anyway"
        )
    return lines


def _protocol_differences(first: Scores, second: Scores) -> Iterator[str]:
    if any("PNGs at the labels' own size" in scores.protocol for scores in (first, second)):
        return  # how files were predicted is unknown
    for scores, others in ((first, second), (second, first)):
        for clause in scores.protocol.split("; "):
            # Precision may differ, since comparing it is a purpose.
            if clause not in others.protocol.split("; ") and not clause.startswith("computed in"):
                yield f"only {scores.name} has {clause!r}"
