"""POST /corrections/NAME: save a photo and its corrected mask in a data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv.batch.memory_gate import InputMemory
from fullconv.errors import ImageError, LabelError, MemoryBudgetError, printable
from fullconv.inference.stopping import Stop, check_stop
from fullconv.io.images import SUFFIXES, Header, decode_mask, decoding_bytes, peek_header
from fullconv.io.palettes import VOID
from fullconv.serving._body import Body
from fullconv.serving._corrections import (
    CorrectionFolder,
    Saved,
    TakenError,
    correction_name,
    open_folder,
    photo_suffix,
)
from fullconv.serving._forms import read_files
from fullconv.serving._members import Member, Paths, members
from fullconv.serving._models import ServedModel
from fullconv.serving._openapi import (
    ANY,
    BINARY,
    json_content,
    operation,
    query_parameter,
    text_parameter,
)
from fullconv.serving._predict import check_not_georeferenced, check_photo, decode_body, open_body
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service
from fullconv.units import format_bytes, format_bytes_up

PATH = "/corrections/{name}"
FILES = ("photo", "mask")
SWITCH = {"1": True, "0": False}
MASK_PIXEL = 6  # bytes: as decoded, as labels, and as a PNG


def routes(service: Service) -> Sequence[Route]:
    """Return the route of corrections, if the server saves them."""
    path = service.settings.corrections
    if path is None:
        return []
    first = service.model().model
    folder = open_folder(path, first.classes, first.palette)

    async def save(request: Request) -> Response:
        return await _save(service, folder, request)

    return [Route(PATH, save, methods=["POST"])]


async def _save(service: Service, folder: CorrectionFolder, request: Request) -> Response:
    name = _parse_name(request.path_params["name"])
    served, replace = _parse_query(service, request)
    if tuple(served.model.classes) != folder.classes:
        raise Problem(
            422,
            f"the model {served.name} has other classes than the corrections of this server: "
            f"{printable(', '.join(folder.classes)[:200])}",
        )
    stages = request.scope["fullconv.stages"]
    with service.place():
        with stages.measure("body"):
            bodies = await read_files(service, request, FILES)
        photo, mask = (bodies[key] for key in FILES)

        def work(stop: Stop) -> Saved:
            header = photo.open(peek_header)
            memory = _plan(service, header, photo, mask)
            with service.gate.admit(memory, stop):
                labels = _read_labels(served, photo, mask)
                check_stop(stop)
                return folder.save(name, photo_suffix(header), photo.content(), labels, replace)

        try:
            saved = await service.run(request, work)
        except TakenError as error:
            raise _taken(error, replace) from error
        finally:
            for body in bodies.values():
                body.close()
    content = {"photo": saved.photo, "mask": saved.mask, "replaced": saved.replaced}
    return JSONResponse(content, 200 if saved.replaced else 201)


def _parse_name(text: str) -> str:
    """Return the name of a correction; a photo's suffix is left out.

    Raises:
        Problem: it is not a plain name.
    """
    stem = text[: -len(Path(text).suffix)] if Path(text).suffix.lower() in SUFFIXES else text
    name = correction_name(stem)
    if name is None:
        raise Problem(
            400,
            f"the name {printable(text[:100])!r} of a correction; expected letters, digits, '_', "
            "'-' and dots, beginning with a letter or a digit",
        )
    return name


def _parse_query(service: Service, request: Request) -> tuple[ServedModel, bool]:
    """Return the model whose classes the mask has, and whether an earlier mask is replaced.

    Raises:
        Problem: a parameter has another value.
    """
    given = request.query_params
    replace = given.get("replace", "0")
    if replace not in SWITCH:
        raise Problem(400, f"replace={printable(replace[:20])}; expected 1 or 0")
    return service.model(given.get("model")), SWITCH[replace]


def _plan(service: Service, header: Header, photo: Body, mask: Body) -> InputMemory:
    """Check the headers of a photo and a mask, and return what reading them takes.

    Raises:
        ImageError: one of them is too large, or is not read.
        MemoryBudgetError: they take more than the server's memory.
    """
    check_photo(header, photo.name, service.limits.max_pixels)
    with photo.open(open_body) as file:
        check_not_georeferenced(header, photo.name, file)
    kind = mask.open(peek_header)
    if kind.format != "PNG":
        raise ImageError(f"a {kind.format} file", "a PNG with class numbers", where=mask.name)
    check_photo(kind, mask.name, service.limits.max_pixels)
    pixels = kind.size[0] * kind.size[1]
    held = decoding_bytes(header) + MASK_PIXEL * pixels + photo.size + mask.size
    if held > service.limits.photo_memory:
        raise MemoryBudgetError(
            f"a correction of {header.size[0]} x {header.size[1]} pixels takes "
            f"{format_bytes_up(held)} to be read; the memory given is "
            f"{format_bytes(service.limits.photo_memory)}"
        )
    return InputMemory(held, 0, None)


def _read_labels(served: ServedModel, photo: Body, mask: Body) -> Any:
    """Decode a photo, which finds damage, and return its labels (H, W).

    Raises:
        ImageError: one of them is damaged, or the mask has another size or is in colour.
        LabelError: a value of the mask is not a class.
    """
    size = decode_body(served.value_range, photo).shape[:2]
    values = decode_mask(mask.content(), mask.name)
    if values.shape != size:
        raise ImageError(
            f"{values.shape[0]} x {values.shape[1]} pixels",
            f"{size[0]} x {size[1]}, the size of the photo",
            where=mask.name,
        )
    classes = len(served.model.classes)
    wrong = np.unique(values[(values >= classes) & (values != VOID) | (values < 0)])
    if wrong.size:
        raise LabelError(
            f"the value {wrong[0]}",
            f"0 to {classes - 1}, or {VOID} for pixels that are not labelled",
            where=mask.name,
        )
    return values.astype(np.uint8)


def _taken(error: TakenError, replace: bool) -> Problem:
    if error.same:
        detail = f"a mask of this photo is saved as {error.name}; replace it with replace=1"
    elif replace:
        detail = f"another photo is saved as {error.name}; choose another name"
    else:
        detail = f"a correction is saved as {error.name}; choose another name"
    return Problem(409, detail)


def paths(service: Service) -> Paths:
    """Return what openapi.json says of the route."""
    if service.settings.corrections is None:
        return {}
    form = {
        "type": "object",
        "required": list(FILES),
        "properties": dict.fromkeys(FILES, BINARY),
        "additionalProperties": False,
    }
    saved = json_content(_SAVED)
    described = operation(
        "The mask of this photo was replaced",
        saved,
        (*ANY, 404, 408, 409, 413, 415, 422, 500, 503, 504),
        parameters=[
            text_parameter("name", "Name of the photo; its suffix is left out."),
            query_parameter(
                "model",
                {"type": "string", "enum": list(service.models)},
                "Model whose classes the mask has; by default the first.",
            ),
            query_parameter(
                "replace",
                {"type": "string", "enum": list(SWITCH)},
                "Whether an earlier mask of the same photo is replaced.",
            ),
        ],
        body={"multipart/form-data": {"schema": form}},
        others={"201": {"description": "The photo and its mask were saved", "content": saved}},
    )
    return {PATH: {"post": described}}


_SAVED = {
    "type": "object",
    "required": ["photo", "mask", "replaced"],
    "properties": {
        "photo": {"type": "string", "description": "Below the folder of corrections."},
        "mask": {"type": "string"},
        "replaced": {"type": "boolean"},
    },
}

members.register("corrections")(Member(routes, paths=paths))
