"""Annotations that Label Studio sends when they are submitted, saved as corrections."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fullconv.batch.memory_gate import InputMemory
from fullconv.data.formats.labelstudio.painting import paint_annotation
from fullconv.data.formats.labelstudio.tasks import (
    Annotation,
    parse_annotation,
    photo_key,
    photo_path,
    uploaded_name,
)
from fullconv.errors import FullconvError, MemoryBudgetError, printable
from fullconv.inference.stopping import Stop, check_stop
from fullconv.io.images import Header, peek_header
from fullconv.serving._body import Body, file_name
from fullconv.serving._corrections import (
    CorrectionFolder,
    Saved,
    TakenError,
    correction_name,
    photo_suffix,
)
from fullconv.serving._label_studio import embedded_photo
from fullconv.serving._models import ServedModel
from fullconv.serving._predict import check_not_georeferenced, check_photo, decode_body, open_body
from fullconv.serving._problems import ClientLeftError, Problem
from fullconv.serving._service import Service

logger = logging.getLogger("fullconv.serving")

ACTIONS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
PIXEL = 20  # bytes of a pixel: decoded, as labels, as a PNG, and one brush mask being read


@dataclass(frozen=True)
class SentAnnotation:
    """An annotation and its photo.

    Attributes:
        annotation: what was drawn.
        url: of the photo.
        task: number of the task, for names and messages.
    """

    annotation: Annotation
    url: str
    task: str

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"Label Studio, task {self.task}"

    @property
    def names(self) -> tuple[str, str]:
        """Names of the correction: the photo's, and one that no other task has."""
        stem = file_name(photo_path(self.url)[-200:]).rpartition(".")[0]
        plain = re.sub(r"[^\w.-]+", "-", uploaded_name(stem)).strip("-.")
        numbered = f"task-{re.sub(r'[^0-9A-Za-z]+', '-', self.task)[:20]}"
        name = correction_name(plain[:60]) if not self.url.startswith("data:") else None
        return (name, f"{name}-{numbered}") if name else (numbered, numbered)


def parse_event(values: Mapping[str, Any]) -> SentAnnotation | None:
    """Return the annotation of an event; None if the event brings none that counts.

    Events of other kinds, skipped tasks and events without a payload bring none.

    Raises:
        DataError: the annotation or its task cannot be read.
    """
    record, task = values.get("annotation"), values.get("task")
    if values.get("action") not in ACTIONS or not record or not isinstance(task, Mapping):
        return None
    number = printable(str(task.get("id", "?"))[:40])
    where = f"Label Studio, task {number}"
    annotation = parse_annotation(record, where)
    data = task.get("data")
    data = data if isinstance(data, Mapping) else {}
    url = data[photo_key(data, where)]
    return None if annotation.cancelled else SentAnnotation(annotation, url, number)


def fetch_photo(service: Service, url: str, body: Body, stop: Stop) -> None:
    """Add the bytes of a task's photo to a body.

    Raises:
        Problem: it is not in the Label Studio of this server, or cannot be fetched.
        OutputError: the disk is full.
    """
    source, limits = service.settings.label_studio, service.limits
    if (content := embedded_photo(url)) is not None:
        body.append(content)
        return
    if source is None:
        raise Problem(
            422,
            "the server fetches no photos; start it with --label-studio URL, the address of "
            "Label Studio",
        )
    for piece in source.fetch(url, limits.max_body, limits.body_seconds, stop):
        body.append(piece)


def url_name(url: str) -> str:
    """Return the name of a photo's file, for messages."""
    return file_name(url.partition("?")[0][-200:])


async def save_annotation(
    service: Service, served: ServedModel, folder: CorrectionFolder, sent: SentAnnotation
) -> None:
    """Fetch the photo of an annotation, and save both; log what became of it."""

    def work(stop: Stop) -> Saved:
        body = Body(service.bodies, url_name(sent.url))
        try:
            fetch_photo(service, sent.url, body, stop)
            return _save(service, served, folder, sent, body, stop)
        finally:
            body.close()

    try:
        saved = await service.run(None, work)
    except (Problem, FullconvError, TakenError, ClientLeftError) as error:
        logger.warning("%s: not saved: %s", sent.where, printable(str(error)))
    else:
        logger.info("%s: saved as %s, %s", sent.where, saved.photo, saved.mask)


def _save(
    service: Service,
    served: ServedModel,
    folder: CorrectionFolder,
    sent: SentAnnotation,
    body: Body,
    stop: Stop,
) -> Saved:
    header = body.open(peek_header)
    check_photo(header, body.name, service.limits.max_pixels)
    with body.open(open_body) as file:
        check_not_georeferenced(header, body.name, file)
    with service.gate.admit(_plan(service, header, sent, body), stop):
        height, width = decode_body(served.value_range, body).shape[:2]
        labels = paint_annotation(
            sent.annotation, served.model.classes, (height, width), sent.where
        )
        check_stop(stop)
        first, other = sent.names
        photo, suffix = body.content(), photo_suffix(header)
        try:
            return folder.save(first, suffix, photo, labels, replace=True)
        except TakenError:  # another photo has its name
            return folder.save(other, suffix, photo, labels, replace=True)


def _plan(service: Service, header: Header, sent: SentAnnotation, body: Body) -> InputMemory:
    """Return what painting an annotation takes: each region has a mask of the photo's size.

    Raises:
        MemoryBudgetError: it takes more than the server's memory.
    """
    pixels = header.size[0] * header.size[1]
    held = (PIXEL + len(sent.annotation.regions)) * pixels + body.size
    if held > service.limits.photo_memory:
        raise MemoryBudgetError(
            f"an annotation of {len(sent.annotation.regions)} regions on {header.size[0]} x "
            f"{header.size[1]} pixels takes more memory than the server has"
        )
    return InputMemory(held, 0, None)
