"""fullconv convert-data: a data set of any format in, photos and masks as plain folders out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullconv.cli._console import format_table, say, track, write_json
from fullconv.cli._options import GroupBy, Json, Quiet

if TYPE_CHECKING:
    from fullconv.data.sample import Data
    from fullconv.io.palettes import Palette


SPLITS = ("train", "val", "test")


def command(
    data: Annotated[str, typer.Argument(help="A folder, FORMAT:PATH, or scenes:N.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; it must be new or empty.")],
    group_by: GroupBy = None,
    splits_only: Annotated[
        bool,
        typer.Option(
            "--splits-only", help="Write only OUT/train.txt, OUT/val.txt, ...: names of photos."
        ),
    ] = False,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Write OUT/images, OUT/masks (indexed PNG, 255 is void), OUT/classes.txt and OUT/splits."""
    from fullconv.data.discovery.resplit import with_groups
    from fullconv.data.discovery.splits import write_splits
    from fullconv.io.atomic import building

    program = str(json) == "-"  # then nothing else may stand on standard output
    whole, parts = parts_of(with_groups(data, group_by) if group_by else data)
    if splits_only:
        paths = write_splits(out, parts)
        write_json(json, {split: list(part.names) for split, part in parts.items()})
        if not program:
            _tell_lists(data, paths, parts)
        return
    found = samples(whole, parts)
    with building(out) as folder:
        pixels = write(folder, found, whole, quiet or program)
        write_splits(folder / "splits", parts)
    splits = {split: len(part) for split, part in parts.items()}
    counts = dict(zip(whole.classes, pixels, strict=False))
    report: dict[str, Any] = {"folder": str(out), "photos": len(found), "splits": splits}
    write_json(json, report | {"pixels": counts, "void": pixels[-1]})
    if not program:
        _tell(report | {"pixels": counts | {"(void)": pixels[-1]}}, quiet)


def _tell_lists(data: str, paths: Sequence[Path], parts: dict[str, "Data"]) -> None:
    number = sum(map(len, parts.values()))
    for path, part in zip(paths, parts.values(), strict=True):
        say(f"{len(part)} names ({100 * len(part) / number:.0f} %) -> {path}")
    _, now = parts_of(data)
    if any(now.get(split) is None or now[split].names != parts[split].names for split in parts):
        folder = data.rpartition(":")[2].partition("?")[0]
        say(f"note    the lists count where they lie in {folder}/splits, and not elsewhere")


def _tell(report: dict[str, Any], quiet: bool) -> None:
    if not quiet:
        rows = [(name, f"{count:,}") for name, count in report["pixels"].items()]
        say(format_table(("class", "pixels"), rows))
    number, out = report["photos"], report["folder"]
    shown = ", ".join(f"{count} {split}" for split, count in report["splits"].items())
    photos = "1 photo" if number == 1 else f"{number} photos"
    say(f"{photos} ({shown or 'no splits'}), {len(report['pixels']) - 1} classes -> {out}")
    say(f"next    fullconv train {out}")


def parts_of(source: str) -> tuple["Data", dict[str, "Data"]]:
    """A data set as a whole, and those of its splits that there are.

    Raises:
        DataError: it cannot be opened.
    """
    from fullconv.data.formats import open_data
    from fullconv.errors import NoSplitError

    whole = open_data(source)
    parts = {}
    for split in SPLITS:
        try:
            part = open_data(source, split)
        except NoSplitError:
            continue
        if part.names:
            parts[split] = part
    return whole, parts


def samples(whole: "Data", parts: dict[str, "Data"]) -> dict[str, tuple["Data", int]]:
    """Where each sample is, by its name; one in several splits is there once."""
    found: dict[str, tuple[Data, int]] = {}
    for data in (whole, *parts.values()):
        for index, name in enumerate(data.names):
            found.setdefault(name, (data, index))
    return found


def write(
    folder: Path, found: dict[str, tuple["Data", int]], whole: "Data", quiet: bool
) -> list[int]:
    """Write the photos and masks; gives the pixels of each class, and last those of void."""
    import numpy as np

    from fullconv.io.atomic import write_text
    from fullconv.io.images import write_image, write_labels
    from fullconv.io.palettes import VOID

    palette = distinct(whole.palette)
    counts = np.zeros(VOID + 1, np.int64)
    for name, (data, index) in track(found.items(), len(found), "converting", quiet):
        sample = data[index]
        write_image(folder / "images" / f"{name}.png", sample.image)
        write_labels(folder / "masks" / f"{name}.png", sample.labels, palette)
        counts += np.bincount(sample.labels.ravel(), minlength=VOID + 1)
    write_text(folder / "classes.txt", "".join(class_lines(whole.classes, palette)))
    return [*counts[: len(whole.classes)].tolist(), int(counts[VOID])]


def distinct(palette: "Palette") -> "Palette":
    """The palette, or VOC's where two classes share a colour and could not be told apart."""
    from fullconv.io.palettes import voc_palette

    return palette if len(set(palette)) == len(palette) else voc_palette(len(palette))


def class_lines(classes: Sequence[str], palette: "Palette") -> Iterator[str]:
    """The lines of classes.txt: "0 road #804080", and "255 void"."""
    for label, (name, color) in enumerate(zip(classes, palette, strict=True)):
        yield f"{label} {' '.join(name.split())} #{bytes(color).hex()}\n"
    yield "255 void\n"  # said, so that masks of 0 and 255 are not taken for two classes
