"""Compute the prediction of one request."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from starlette.requests import Request

from fullconv._version import __version__
from fullconv.batch.photo_memory import check_results, predict_photo
from fullconv.batch.writers import Writer
from fullconv.errors import ImageError
from fullconv.inference.stopping import Stop, check_stop
from fullconv.io.images import Header, decode_image, peek_header, read_image
from fullconv.io.rasters import parse_raster_header
from fullconv.io.value_range import ValueRange
from fullconv.serving._body import Body
from fullconv.serving._models import ServedModel
from fullconv.serving._service import Service
from fullconv.serving._stages import Stages, waiting


@dataclass(frozen=True)
class Result:
    """An encoded prediction.

    Attributes:
        content: the bytes of the output.
        size: (height, width) of the photo.
        note: how it was predicted, if a user should know; else "".
    """

    content: bytes
    size: tuple[int, int]
    note: str


async def predict_body(
    service: Service,
    request: Request,
    served: ServedModel,
    body: Body,
    output: Writer,
    scales: Sequence[float] | None,
    stages: Stages,
) -> Result:
    """Predict the photo of a request and encode the prediction.

    Args:
        service: whose limits count.
        request: whose client may leave.
        served: predicts.
        body: the photo; it is read in the thread that predicts it.
        output: encodes.
        scales: of test-time augmentation; None turns it off.
        stages: gets the times.

    Raises:
        ImageError: the body is no photo that is predicted.
        MemoryBudgetError: it takes more memory than the server has.
        ClientLeftError: the client closed the connection.
    """
    request.scope["fullconv.model"] = served.name

    def work(stop: Stop) -> Result:
        check_stop(stop)
        header = body.open(peek_header)
        check_photo(header, body.name, service.limits.max_pixels)
        with body.open(open_body) as file:
            check_not_georeferenced(header, body.name, file)
        memory = service.plan(served, header, output, scales)
        with waiting(service.gate.admit(memory, stop), stages):
            with stages.measure("decode"):
                image = decode_body(served.value_range, body)
                body.close()
            with (
                waiting(service.gate.compute(memory, stop), stages),
                stages.measure("compute"),
            ):
                found = predict_photo(served.model, image, [output], scales, memory.limit, stop)
                check_results(found, [output], memory)
            check_stop(stop)
            with stages.measure("encode"):
                content = output.encode(found)
        service.metrics.pixels.inc(prod(header.size))
        return Result(content, header.size, found.note)

    return await service.run(request, work, body.received)


def result_key(service: Service, served: ServedModel, digest: str, options: dict[str, Any]) -> str:
    """Return the hash of everything that a response depends on.

    Args:
        service: whose number of threads and limits count.
        served: predicts.
        digest: of the request's photo.
        options: of the request.
    """
    limits = [service.limits.threads, service.limits.memory // service.limits.at_once]
    engine = served.engine, served.model.choice.most_pixels
    given = [digest, served.fingerprint, options, limits, engine, __version__]
    parts = json.dumps(given, sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def check_photo(header: Header, name: str, max_pixels: int) -> None:
    """Refuse a photo by its header.

    Raises:
        ImageError: it is too large.
    """
    height, width = header.size
    if height * width > max_pixels:
        raise ImageError(
            f"{height} x {width} pixels",
            f"at most {max_pixels:,}, the limit of this server",
            where=name,
            code="too-large",
        )


def check_not_georeferenced(header: Header, name: str, file: BinaryIO) -> None:
    """Refuse a georeferenced TIFF, which `fullconv predict` treats as a raster.

    Raises:
        ImageError: it is one.
    """
    found = parse_raster_header(file) if header.format == "TIFF" else None
    if found is not None and found.georeferenced:
        raise ImageError(
            "a georeferenced TIFF",
            "a photo",
            "`fullconv predict` writes GeoTIFFs of such files",
            where=name,
        )


def open_body(path: Path, content: bytes | None) -> BinaryIO:
    """Open the bytes of a body; for `Body.open`."""
    return path.open("rb") if content is None else io.BytesIO(content)


def decode_body(value_range: ValueRange | None, body: Body) -> Any:
    """Decode the photo in a body as RGB (H, W, 3) in [0, 255]; see `read_image`.

    Raises:
        ImageError: it cannot be read, or has more than 8 bits a channel and there is no range.
    """

    def decode(path: Path, content: bytes | None) -> Any:
        if content is None:
            return read_image(path, value_range)
        return decode_image(content, str(path), value_range)

    return body.open(decode)
