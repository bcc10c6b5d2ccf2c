"""Parse Label Studio's exports: tasks with annotations (JSON), or one record each (JSON-MIN)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fullconv.data.discovery.files import quoted
from fullconv.errors import DataError
from fullconv.io.images import SUFFIXES
from fullconv.io.text import get_entry, read_json_list

# Keys of a JSON-MIN record that are neither the task's data nor regions.
_OWN = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
_WITHOUT_PIXELS = (
    *("choices", "textarea", "rating", "number", "datetime", "taxonomy", "relation", "pairwise"),
    *("ranker", "hypertextlabels"),
)


@dataclass(frozen=True)
class Region:
    """A region of one annotation.

    Attributes:
        where: its place, for messages.
        value: its geometry and labels, as in the file; "rle" are bytes.
        label: its class; "" if it has none.
        size: (height, width) of the photo; None if the file does not say it.
        turned: degrees that the annotator saw the photo turned by.
    """

    where: str
    value: Mapping[str, Any]
    label: str
    size: tuple[int, int] | None
    turned: float = 0.0


@dataclass(frozen=True)
class Annotation:
    """What one annotator drew on one photo.

    Attributes:
        annotators: names of its annotator: number and e-mail address.
        updated: when it was last changed, as text that sorts by time.
        ground_truth: whether it is marked as the right one.
        cancelled: whether the annotator skipped the task.
        regions: in the order in which they are drawn.
    """

    annotators: tuple[str, ...]
    updated: str
    ground_truth: bool
    cancelled: bool
    regions: tuple[Region, ...]


@dataclass
class Task:
    """A photo and its annotations.

    Attributes:
        where: its place, for messages.
        image: path of its photo, from the URL in the task's data.
        annotations: in the order of the file.
    """

    where: str
    image: str
    annotations: list[Annotation] = field(default_factory=list)

    def choose(self, annotator: str | None) -> Annotation | None:
        """Return the annotation that counts: the one marked as ground truth, else the newest.

        Args:
            annotator: whose annotations count; None for everyone's.
        """
        found = [item for item in self.annotations if not item.cancelled]
        if annotator is not None:
            found = [item for item in found if annotator in item.annotators]
        return max(found, key=lambda item: (item.ground_truth, item.updated), default=None)


def read_tasks(path: Path) -> tuple[list[Task], list[DataError]]:
    """Read an export of either form.

    Returns:
        Its tasks, and the errors of those that cannot be read.

    Raises:
        DataError: it is not such a file.
    """
    tasks: dict[str, Task] = {}
    errors = []
    for number, record in enumerate(read_json_list(path), 1):
        name = record.get("id", number) if isinstance(record, dict) else number
        where = f"{path}: task {name}"
        try:
            if not isinstance(record, dict):
                raise DataError("not an object", expected="a task of Label Studio", where=where)
            if "annotations" in record or "data" in record:
                tasks[where] = _task(record, where)
            else:
                task = tasks.setdefault(where, Task(where, _image(record, where)))
                task.annotations.append(_small_annotation(record, where))
        except DataError as error:
            error.code = "list-line"
            error.found, error.where = f"{error.problem.removeprefix(f'{path}: ')}", str(path)
            errors.append(error)
    return list(tasks.values()), errors


def _task(record: Mapping[str, Any], where: str) -> Task:
    data = get_entry(record, "data", dict, where)
    found = get_entry(record, "annotations", list, where)
    annotations = [parse_annotation(item, where) for item in found]
    return Task(where, _image(data, where), annotations)


def parse_annotation(record: object, where: str) -> Annotation:
    """Return an annotation with its regions.

    Raises:
        DataError: it cannot be read.
    """
    results = get_entry(record, "result", list, where)
    assert isinstance(record, dict)
    person = record.get("completed_by")
    known = person.values() if isinstance(person, dict) else (person,)
    return Annotation(
        tuple(str(value) for value in known if isinstance(value, str | int)),
        _time(record),
        record.get("ground_truth") is True,
        record.get("was_cancelled") is True,
        tuple(_regions(results, where)),
    )


def _small_annotation(record: Mapping[str, Any], where: str) -> Annotation:
    person = record.get("annotator")
    regions: list[Region] = []
    for key, values in record.items():
        if key in _OWN or not isinstance(values, list):
            continue
        results = [{"value": value} | value for value in values if isinstance(value, dict)]
        regions += _regions(results, f"{where}: {key}")
    return Annotation((str(person),), _time(record), False, False, tuple(regions))


def _time(record: Mapping[str, Any]) -> str:
    return str(record.get("updated_at") or record.get("created_at") or "")


def _regions(results: Sequence[object], where: str) -> Iterator[Region]:
    """Yield the regions of an annotation, each once.

    A tool without labels (Brush beside Labels) gives two results of one id: the shape, and the
    shape with its label.
    """
    labels: dict[object, str] = {}
    shapes: dict[object, tuple[Mapping[str, Any], Mapping[str, Any], str]] = {}
    for number, result in enumerate(results, 1):
        place = f"{where}: region {number}"
        if not isinstance(result, dict):
            raise DataError("not an object", expected="a region of Label Studio", where=place)
        if result.get("type") in _WITHOUT_PIXELS:
            continue
        value: Mapping[str, Any] = get_entry(result, "value", dict, place)
        key = result.get("id") or place
        labels[key] = _label(value, place) or labels.get(key, "")
        shapes.setdefault(key, (result, value, place))
    for key, shape in shapes.items():
        yield _region(*shape[:2], labels[key], shape[2])


def _region(result: Mapping[str, Any], value: Mapping[str, Any], label: str, where: str) -> Region:
    height, width = result.get("original_height"), result.get("original_width")
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    turned = result.get("image_rotation") or 0.0
    kept = dict(value)
    if "rle" in value:
        try:
            kept["rle"] = bytes(get_entry(value, "rle", list, where))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"a brush mask that is not a list of bytes ({error})", where=where
            ) from error
    return Region(where, kept, label, size, float(turned) if _is_number(turned) else 1.0)


def _label(value: Mapping[str, Any], where: str) -> str:
    """Return the only label of a value; "" if it has none."""
    names: list[object] = []
    for key, labels in value.items():
        if key.endswith("labels") and isinstance(labels, list):
            names += labels
    if len(names) > 1 or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"a region with {len(names)} labels, {quoted(names)}",
            expected="one class per pixel",
            remedy="leave one of them",
            where=where,
        )
    return str(names[0]) if names else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _image(data: Mapping[str, Any], where: str) -> str:
    return photo_path(data[photo_key(data, where)])


def photo_key(data: Mapping[str, Any], where: str) -> str:
    """Return the key of the photo's URL in a task's data.

    Raises:
        DataError: there is none, or there are several.
    """
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    paths = {key: photo_path(text) for key, text in texts.items()}
    found = [key for key, path in paths.items() if path.lower().endswith(SUFFIXES)]
    chosen = "image" if "image" in paths else found[0] if len(found) == 1 else None
    if chosen is None:
        raise DataError(
            f"{len(found)} photos in the task's data ({', '.join(map(quoted, data))})",
            expected='one, under the key "image" or the only one whose value is a picture',
            where=where,
        )
    return chosen


def uploaded_name(name: str) -> str:
    """Return the name that a photo had before its upload, which puts 8 hexadecimal digits first."""
    return re.sub("^[0-9a-f]{8}-(?=.)", "", name)


def photo_path(text: str) -> str:
    """Return the path of a photo in a URL: /data/local-files/?d=photos/a.jpg is photos/a.jpg."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if parts.path.rstrip("/").endswith("/local-files"):
        return parse_qs(parts.query).get("d", [""])[0]
    return unquote(parts.path) if parts.scheme or text.startswith("/data/") else text
