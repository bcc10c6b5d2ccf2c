"""fullconv convert-data: convert a data set of any format to folders of images and masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._console import format_table, say, say_lines, track, write_json
from fullconv.cli._options import DATA, GroupBy, Json, Quiet
from fullconv.io.commands import pasted

if TYPE_CHECKING:
    from fullconv.data.sample import Data


def command(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA)],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write; must be new or empty.")
    ],
    group_by: GroupBy = None,
    splits_only: Annotated[
        bool,
        typer.Option(
            "--splits-only", help="Write only the split lists OUT/train.txt, OUT/val.txt, ..."
        ),
    ] = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Convert a data set to folders of images and masks.

    Writes OUT/images, OUT/masks (indexed PNG; 255 is the ignore label), OUT/classes.txt and
    OUT/splits.
    """
    from fullconv.data.discovery.resplit import with_groups, write_splits
    from fullconv.io.atomic import building

    json_only = str(json) == "-"  # then standard output holds nothing else
    complete, splits = open_splits(with_groups(data, group_by) if group_by else data)
    found = (warning for part in (complete, *splits.values()) for warning in part.warnings)
    for warning in dict.fromkeys(found):
        say(f"warning: {warning}")
    if splits_only:
        paths = write_splits(out, splits)
        write_json(json, {split: list(part.names) for split, part in splits.items()})
        if not json_only:
            _print_lists(data, paths, splits)
        return
    check_one_head(complete)
    samples = locate_samples(complete, splits)
    with building(out) as folder:
        pixels = write_samples(folder, samples, complete, quiet or json_only)
        write_splits(folder / "splits", splits)
    counts = dict(zip(complete.classes, pixels, strict=False))
    sizes = {split: len(part) for split, part in splits.items()}
    report: dict[str, Any] = {"folder": str(out), "photos": len(samples), "splits": sizes}
    write_json(json, report | {"pixels": counts, "void": pixels[-1]})
    if not json_only:
        _print_report(report | {"pixels": counts | {"(ignore)": pixels[-1]}}, quiet)


def open_splits(source: str) -> tuple["Data", dict[str, "Data"]]:
    """Open a data set without splitting it, and those of its splits that exist.

    Raises:
        DataError: it cannot be opened.
    """
    from fullconv.data.discovery.list_files import SPLITS
    from fullconv.data.formats import open_data
    from fullconv.errors import NoSplitError

    complete = open_data(source)
    splits = {}
    for split in SPLITS:
        try:
            part = open_data(source, split)
        except NoSplitError:
            continue
        if part.names:
            splits[split] = part
    return complete, splits


def check_one_head(complete: "Data") -> None:
    """Check that a data set has labels of one kind, as masks have.

    Raises:
        DataError: it has several heads, of which all but the first would be lost.
    """
    from fullconv.errors import DataError

    if complete.heads:
        names = [head.name for head in complete.heads]
        raise DataError(
            f"labels of the heads {', '.join(names)}",
            expected="one, as masks hold one label per pixel",
            remedy=f"convert them one by one: ?head={names[0]}",
            where=complete.source,
        )


def locate_samples(complete: "Data", splits: dict[str, "Data"]) -> dict[str, tuple["Data", int]]:
    """Map each sample's name to a data set and an index; once even if in several splits.

    Raises:
        DataError: two files would have one name, or names that Windows and macOS take for equal.
    """
    from fullconv.data.discovery.files import fold_name
    from fullconv.errors import DataError

    others = {name for part in splits.values() for name in part.names} - {*complete.names}
    seen: dict[str, str] = {}
    for name in (*complete.names, *sorted(others)):
        if first := seen.get(fold_name(name)):
            raise DataError(
                f"two samples would be written as {first}.png and {name}.png, which many systems "
                "take for one file",
                expected="names that differ in more than case",
                remedy="rename one of the photos, and its mask or its line in lists",
                where=complete.source,
            )
        seen[fold_name(name)] = name
    samples: dict[str, tuple[Data, int]] = {}
    for data in (complete, *splits.values()):
        for index, name in enumerate(data.names):
            samples.setdefault(name, (data, index))
    return samples


def write_samples(
    folder: Path, samples: dict[str, tuple["Data", int]], complete: "Data", quiet: bool
) -> list[int]:
    """Write images and masks; return the pixels of each class, followed by the ignored ones."""
    import numpy as np

    from fullconv.data.labels.class_lines import distinct_palette, format_lines
    from fullconv.io.atomic import write_text
    from fullconv.io.contained import contained
    from fullconv.io.images import write_image, write_labels
    from fullconv.io.palettes import VOID

    palette = distinct_palette(complete.palette)
    counts = np.zeros(VOID + 1, np.int64)
    for name, (data, index) in track(samples.items(), len(samples), "converting", quiet):
        sample = data[index]
        write_image(contained(folder, f"images/{name}.png"), sample.image)
        write_labels(contained(folder, f"masks/{name}.png"), sample.labels, palette)
        counts += np.bincount(sample.labels.ravel(), minlength=VOID + 1)
    write_text(folder / "classes.txt", "".join(format_lines(complete.classes, palette)))
    return [*counts[: len(complete.classes)].tolist(), int(counts[VOID])]


def _print_lists(data: str, paths: Sequence[Path], splits: dict[str, "Data"]) -> None:
    number = sum(map(len, splits.values()))
    for path, part in zip(paths, splits.values(), strict=True):
        say(f"{len(part)} names ({100 * len(part) / number:.0f} %) -> {path}")
    _, current = open_splits(data)
    if any(s not in current or current[s].names != splits[s].names for s in splits):
        folder = data.rpartition(":")[2].partition("?")[0]
        say(f"note    to use these lists, move them to {folder}/splits")


def _print_report(report: dict[str, Any], quiet: bool) -> None:
    if not quiet:
        rows = [(name, f"{count:,}") for name, count in report["pixels"].items()]
        say_lines(format_table(("class", "pixels"), rows))
    number, out = report["photos"], report["folder"]
    splits = ", ".join(f"{count} {split}" for split, count in report["splits"].items())
    images = "1 image" if number == 1 else f"{number} images"
    say(f"{images} ({splits or 'no splits'}), {len(report['pixels']) - 1} classes -> {out}")
    say(f"next    {pasted('fullconv', 'train', out)}")
