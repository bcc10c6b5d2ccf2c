"""Label Studio: exports as JSON or JSON-MIN, with brush masks, polygons, rectangles and ellipses.

A region covers those before it in its annotation, as on the screen. Of several annotations of one
photo, the one marked as ground truth counts, else the newest. Skipped tasks, tasks without an
annotation and annotations that do not count are left out, and counted.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fullconv.data.discovery.claims import photos_of_claims
from fullconv.data.discovery.files import inner_parts, locate_beside, quoted, sample_name
from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.list_files import find_lists
from fullconv.data.discovery.pairing import unique
from fullconv.data.discovery.problems import Problem
from fullconv.data.formats import Format, formats
from fullconv.data.formats._annotations import Drawing, drawn_inventory, with_ground
from fullconv.data.formats.labelstudio.regions import layer_of
from fullconv.data.formats.labelstudio.tasks import (
    Annotation,
    Region,
    Task,
    read_tasks,
    uploaded_name,
)
from fullconv.data.labels.classes import declared_classes
from fullconv.data.labels.label_config import parse_label_config
from fullconv.data.labels.patches import Size
from fullconv.data.labels.rasterize import Layer
from fullconv.data.sample import Pair, default_palette
from fullconv.errors import DataError
from fullconv.io.palettes import VOID, Palette
from fullconv.io.regular import open_regular
from fullconv.io.text import read_utf8
from fullconv.io.visible import visible
from fullconv.units import count

CONFIG = "label_config.xml"
IGNORE = "ignore"  # of the option `unlabeled`

_HEAD = 2**20  # bytes of a file that are looked at to recognise it
_BEGINNING = re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*\{")
_KEY = re.compile(
    rb'"(completed_by|was_cancelled|total_annotations|annotation_id'
    rb'|(brush|polygon|rectangle|ellipse)labels)"\s*:'
)


@dataclass(frozen=True)
class _Options:
    """What follows the path.

    Attributes:
        annotator: whose annotations count, by number or e-mail address; None for everyone's.
        ground: the label of pixels outside all regions.
    """

    annotator: str | None = None
    ground: int = 0


def scan(source: str) -> Inventory:
    """List the photos of an export, which are in its folder or in a folder of images beside it.

    Classes are those of classes.txt or of label_config.xml, the project's labeling configuration;
    without them, the sorted names in the annotations. The splits are lists such as
    splits/train.txt, or follow from the hash of the names.

    Args:
        source: a folder or a file, and options: "labels?annotator=7", "labels?unlabeled=ignore".

    Raises:
        DataError: there is no export.
    """
    place, options = _parse(source)
    folder, files = (place.parent, [place]) if place.is_file() else (place, _exports(place))
    if not files:
        raise DataError(
            f"{place} holds no export of Label Studio", expected="a JSON or JSON-MIN export"
        )
    tasks: list[Task] = []
    errors: list[DataError] = []
    for file in files:
        found, wrong = read_tasks(file)
        tasks, errors = tasks + found, errors + wrong
    chosen = [(task, one) for task in tasks if (one := task.choose(options.annotator))]
    if not chosen and not errors:
        raise _no_annotation(place, len(tasks), options)
    photos, missing = _photos(folder, chosen)
    classes, palette = _classes(folder, [one for _, one in chosen], options)
    load = partial(_drawing, annotations=photos, classes=classes)
    inventory = drawn_inventory("labelstudio", folder, classes, palette, load, options.ground)
    inventory.bad_entries([*errors, *missing], None)
    pairs, duplicates = unique(
        Pair(sample_name(photo, folder), photo, Path(task.where.partition(": task ")[0]))
        for photo, (task, _) in photos.items()
    )
    inventory.pairs = pairs
    inventory.needed = "a task of every photo in an export"
    inventory.no_samples = [path for task in tasks if (path := _photo(folder, task.image))]
    if place.is_file():  # other photos belong to other exports
        inventory.suffixes = ()
    inventory.same_stems(duplicates)
    inventory.problems += [
        Problem(error, place, None, fatal=False) for error in _left_out(place, tasks, options)
    ]
    inventory.add_lists(pairs, find_lists(folder))
    return inventory


def recognises(folder: Path) -> bool:
    """Return whether a JSON file begins as Label Studio's exports do."""
    return folder.is_dir() and not (folder / "masks").is_dir() and bool(_exports(folder))


def _parse(source: str) -> tuple[Path, _Options]:
    if Path(source).exists():
        return Path(source), _Options()
    text, *given = source.split("?", 1)
    annotator, ground = None, 0
    for option in given[0].split("&") if given else ():
        name, _, value = option.partition("=")
        if name == "annotator" and value:
            annotator = value
        elif name == "unlabeled" and value in (IGNORE, "background"):
            ground = VOID if value == IGNORE else 0
        else:
            raise DataError(
                f"Label Studio's exports have no option {option!r}",
                expected="annotator=NUMBER or E-MAIL, unlabeled=background or unlabeled=ignore",
            )
    if not Path(text).exists():
        raise DataError(f"there is no data at {text}", expected="a folder or a file")
    return Path(text), _Options(annotator, ground)


def _exports(folder: Path) -> list[Path]:
    return [path for path in sorted(visible(folder, "*.json")) if _is_export(path)]


def _is_export(path: Path) -> bool:
    try:
        with open_regular(path) as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return bool(_BEGINNING.match(head) and _KEY.search(head))


def _no_annotation(place: Path, tasks: int, options: _Options) -> DataError:
    whose = f" of {options.annotator!r}" if options.annotator else ""
    return DataError(
        f"none of {count(tasks, 'task')} has an annotation{whose}",
        expected="annotations that were submitted; predictions alone are not labels",
        remedy="submit them in Label Studio, and export again",
        where=place,
    )


def _photos(
    folder: Path, chosen: Iterable[tuple[Task, Annotation]]
) -> tuple[dict[Path, tuple[Task, Annotation]], list[DataError]]:
    """Return the photos that exist, and the errors of those that are missing or named twice."""
    photos: dict[Path, tuple[Task, Annotation]] = {}
    errors = []
    several = [*chosen]
    claims = [(task.image, _photo(folder, task.image)) for task, _ in several]
    for (task, annotation), photo in zip(several, photos_of_claims(claims), strict=True):
        file, _, name = task.where.partition(": task ")
        if photo is None or photo in photos:
            what = (
                f"task {name}: its photo {quoted(task.image)} is not in {folder}"
                if photo is None
                else f"task {name} and task {photos[photo][0].where.partition(': task ')[2]} have "
                f"one photo, {quoted(photo.name)}"
            )
            errors.append(
                DataError(
                    what,
                    expected="one task per photo, and the photos beside the export or in images/",
                    remedy="copy the photos there, under the names that they had",
                    where=file,
                    code="list-line",
                )
            )
        else:
            photos[photo] = (task, annotation)
    return photos, errors


def _photo(folder: Path, image: str) -> Path | None:
    """Find a photo under its name, or under the one that it had before it was uploaded."""
    parts = inner_parts(image)
    if not parts:
        return None
    before = [*parts[:-1], uploaded_name(parts[-1])]
    names = dict.fromkeys(("/".join(parts), "/".join(before)))
    found = (locate_beside(folder, name, folder) for name in names)
    return next((path for path in found if path), None)


def _classes(
    folder: Path, annotations: Sequence[Annotation], options: _Options
) -> tuple[tuple[str, ...], Palette]:
    """Return the classes; those of ignored unlabeled pixels need no background."""
    palette: Palette | None = None
    where: Path | str = folder
    if declared := declared_classes(folder):
        names, palette, where = declared.classes, declared.palette, declared.where
    elif (folder / CONFIG).is_file():
        where = folder / CONFIG
        config = parse_label_config(read_utf8(where), where)
        names, palette = config.labels, config.palette
        if not names:
            raise DataError("no labels of regions", expected="<BrushLabels>", where=where)
    else:
        names = tuple(sorted({r.label for one in annotations for r in one.regions} - {""}))
    classes = with_ground(names, where)
    if options.ground == VOID and classes[1:] == tuple(names):
        classes = tuple(names)
    return classes, palette if palette and classes == tuple(names) else default_palette(classes)


def _left_out(place: Path, tasks: Sequence[Task], options: _Options) -> list[DataError]:
    """Return what is not used, in one sentence per kind."""
    skipped = empty = others = 0
    for task in tasks:
        used = [item for item in task.annotations if not item.cancelled]
        chosen = task.choose(options.annotator)
        others += len(used) - (chosen is not None)
        skipped += chosen is None and any(item.cancelled for item in task.annotations)
        empty += not task.annotations
    found = {
        "task-skipped": (skipped, "task", "left out: skipped (cancelled) by every annotator"),
        "not-annotated": (empty, "task", "left out, without an annotation"),
        "annotation-not-used": (
            others,
            "annotation",
            "left out, of other annotators or older; the one marked as ground truth counts, else "
            "the newest",
        ),
    }
    return [
        DataError(
            f"{count(number, noun)} {text}",
            remedy="choose one annotator with ?annotator=" if noun == "annotation" else "",
            where=place,
            code=code,
        )
        for code, (number, noun, text) in found.items()
        if number
    ]


def _drawing(
    pair: Pair, annotations: dict[Path, tuple[Task, Annotation]], classes: tuple[str, ...]
) -> Drawing:
    task, annotation = annotations[pair.photo]
    regions: Sequence[Region] = annotation.regions

    def layers(size: Size) -> list[Layer]:
        return [layer_of(region, order, classes, size) for order, region in enumerate(regions)]

    size = next((region.size for region in regions if region.size), None)
    return Drawing(pair.photo, task.where, size, layers, relative=True)


formats.register("labelstudio")(
    Format(
        summary="Label Studio's .json exports (JSON, JSON-MIN), and the photos",
        scan=scan,
        recognises=recognises,
    )
)
