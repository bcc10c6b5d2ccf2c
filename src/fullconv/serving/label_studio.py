"""/label-studio: the backend that a Label Studio project asks for pre-labels."""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv.batch.writers import Writer
from fullconv.batch.writers.labelstudio import encoding_bytes, predicted
from fullconv.data.labels.label_config import BRUSH, POLYGON, parse_label_config
from fullconv.data.labels.special_names import is_background
from fullconv.errors import FullconvError, printable
from fullconv.inference.prediction import Prediction
from fullconv.io.output_text import json_bytes
from fullconv.serving._annotations import fetch_photo, parse_event, save_annotation, url_name
from fullconv.serving._body import Body
from fullconv.serving._corrections import CorrectionFolder, open_folder
from fullconv.serving._json import read_object
from fullconv.serving._members import Member, Paths, members
from fullconv.serving._models import ServedModel
from fullconv.serving._openapi import PREDICTING, json_content, operation
from fullconv.serving._predict import predict_body
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service

logger = logging.getLogger("fullconv.serving")

ROOT = "/label-studio"
MAX_TASKS = 1000  # of one request


@dataclass(frozen=True)
class _Target:
    """Where a project wants its pre-labels.

    Attributes:
        from_name: the tag with the labels.
        to_name: the photo's tag.
        polygons: whether they are polygons.
        key: of the photo's URL in a task's data.
    """

    from_name: str
    to_name: str
    polygons: bool
    key: str


def routes(service: Service) -> Sequence[Route]:
    """Return the routes of the backend."""

    async def health(request: Request) -> Response:
        status = "UP" if service.is_ready else "STARTING"
        content = {"status": status, "model_class": f"fullconv {service.model().name}"}
        return JSONResponse(content, 200 if service.is_ready else 503)

    async def setup(request: Request) -> Response:
        served = service.model()
        with service.place(), closing(await read_object(service, request)) as parsed:
            schema = parsed.values.get("schema")
            if schema:  # Label Studio sends it; without a project there is none
                _said(lambda: _target(schema, served))
        return JSONResponse({"model_version": served.fingerprint})

    async def versions(request: Request) -> Response:
        return JSONResponse({"versions": [service.model().fingerprint]})

    async def predict(request: Request) -> Response:
        with service.place():
            with request.scope["fullconv.stages"].measure("body"):
                parsed = await read_object(service, request)
            with closing(parsed):
                return await _predict(service, request, parsed.values)

    path, first = service.settings.corrections, service.model().model
    folder = None if path is None else open_folder(path, first.classes, first.palette)

    async def webhook(request: Request) -> Response:
        with ExitStack() as kept:  # until the annotation is saved
            kept.enter_context(service.place())
            parsed = kept.enter_context(closing(await read_object(service, request)))
            return _take_event(service, folder, parsed.values, kept)

    return [
        Route(f"{ROOT}/health", health),
        Route(f"{ROOT}/setup", setup, methods=["POST"]),
        Route(f"{ROOT}/versions", versions, methods=["GET", "POST"]),
        Route(f"{ROOT}/predict", predict, methods=["POST"]),
        Route(f"{ROOT}/webhook", webhook, methods=["POST"]),
    ]


def _take_event(
    service: Service, folder: CorrectionFolder | None, values: dict[str, Any], kept: ExitStack
) -> Response:
    """Respond at once, since Label Studio waits for a second; save the annotation after that.

    Args:
        service: whose settings count.
        folder: of the corrections; None for none.
        values: of the event.
        kept: what the event holds; taken over until its annotation is saved.
    """
    action = printable(str(values.get("action", ""))[:60])
    sent = _said(lambda: parse_event(values)) if folder else None
    if folder is None or sent is None:
        why = "" if folder else "; start the server with --corrections to save annotations"
        logger.info("Label Studio sent %s%s", action, why)
        return JSONResponse({"action": action, "accepted": False})
    kept = kept.pop_all()

    async def save() -> None:
        with kept:
            await save_annotation(service, service.model(), folder, sent)

    return JSONResponse({"action": action, "accepted": True}, 202, background=BackgroundTask(save))


async def _predict(service: Service, request: Request, values: dict[str, Any]) -> Response:
    """Predict the photos of all tasks, one after the other.

    A photo that cannot be predicted gives an "error" in place of a "result", which Label Studio
    logs, and the others are predicted; if none can be, the first error is the response.
    """
    served, tasks = service.model(), values.get("tasks")
    if not isinstance(tasks, list) or not 0 < len(tasks) <= MAX_TASKS:
        raise Problem(400, f'expected a list "tasks" of 1 to {MAX_TASKS} tasks')
    target = _said(lambda: _target(values.get("label_config"), served))
    results: list[bytes] = []
    problems: list[Exception] = []
    for task in tasks:
        try:
            results.append(await _predict_task(service, request, served, task, target))
        except (Problem, FullconvError) as error:
            logger.warning("Label Studio, task %s: %s", _task_id(task), printable(str(error)))
            results.append(json_bytes({"error": printable(str(error))}))
            problems.append(error)
    if len(problems) == len(tasks):
        raise problems[0]
    content = b'{"results":[' + b",".join(part.rstrip() for part in results) + b"]}\n"
    return Response(content, media_type="application/json")


async def _predict_task(
    service: Service, request: Request, served: ServedModel, task: object, target: _Target
) -> bytes:
    url = _photo_url(task, target.key)
    body = Body(service.bodies, url_name(url))
    stages = request.scope["fullconv.stages"]
    try:
        with stages.measure("body"):
            await service.run(request, lambda stop: fetch_photo(service, url, body, stop))
        result = await predict_body(
            service, request, served, body, _output(served, target), None, stages
        )
    finally:
        body.close()
    return result.content


def _output(served: ServedModel, target: _Target) -> Writer:
    def encode(prediction: Prediction) -> bytes:
        names = {"from_name": target.from_name, "to_name": target.to_name}
        found = predicted(prediction, served.fingerprint, polygons=target.polygons, **names)
        return json_bytes(found)

    return Writer(
        ".json",
        encode,
        scores=True,
        pixel_bytes=64,
        score_bytes=4,
        encoding_bytes=partial(_encoding_bytes, polygons=target.polygons),
    )


def _encoding_bytes(prediction: Prediction, polygons: bool) -> int:
    return encoding_bytes(prediction) * (4 if polygons else 1)


def _target(config: object, served: ServedModel) -> _Target:
    """Return where pre-labels belong in a project, by its labeling configuration.

    Raises:
        Problem: there is no place, or a class of the model is not among the labels.
    """
    if not isinstance(config, str):
        raise Problem(400, 'expected the text "label_config", or "schema" of a setup')
    found = parse_label_config(config, "label_config")
    tags = sorted(
        (tag for tag in found.tags if tag.kind in (BRUSH, POLYGON)),
        key=lambda tag: tag.kind != BRUSH,
    )
    if not tags:
        raise Problem(
            422, "the labeling configuration has neither <BrushLabels> nor <PolygonLabels>"
        )
    tag = tags[0]
    missing = [
        name for name in served.model.classes if name not in tag.labels and not is_background(name)
    ]
    if missing:
        raise Problem(
            422,
            f"the class {missing[0]!r} of the model is not a label of <{tag.kind} "
            f'name="{tag.name}">, which has {", ".join(tag.labels)[:200]}; add '
            + (f"it and {len(missing) - 1} more" if len(missing) > 1 else "it"),
        )
    key = found.images.get(tag.to_name) or "image"
    return _Target(tag.name, tag.to_name, tag.kind == POLYGON, key)


def _said(work: Any) -> Any:
    """Return what a function returns; log its error, whose text Label Studio does not show."""
    try:
        return work()
    except (Problem, FullconvError) as error:
        logger.warning("Label Studio: %s", printable(str(error)))
        raise


def _photo_url(task: object, key: str) -> str:
    data = task.get("data") if isinstance(task, Mapping) else None
    url = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(url, str) or not url:
        raise Problem(400, f"a task without the photo's URL in data[{json.dumps(key[:60])}]")
    return url


def _task_id(task: object) -> str:
    return printable(str(task.get("id", "?"))[:40]) if isinstance(task, Mapping) else "?"


def paths(service: Service) -> Paths:
    """Return what openapi.json says of the routes."""
    text = {"type": "string"}
    status = _object(status=text, model_class=text)
    busy = {"503": {"description": "It takes no work now", "content": json_content(status)}}
    version = json_content(_object(model_version=text))
    versions = operation(
        "Versions", json_content(_object(versions={"type": "array", "items": text}))
    )
    tasks = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": MAX_TASKS}
    asked = json_content(_object(tasks=tasks, label_config=text))
    results = json_content(_object(results={"type": "array", "items": {"type": "object"}}))
    any_object = json_content({"type": "object"})
    heard = json_content(_object(action=text, accepted={"type": "boolean"}))
    later = {"202": {"description": "The annotation is saved after this", "content": heard}}
    problems = (*PREDICTING, 502)
    return {
        f"{ROOT}/health": {
            "get": operation("Label Studio: health", json_content(status), others=busy)
        },
        f"{ROOT}/setup": {
            "post": operation("Label Studio: setup", version, PREDICTING, body=any_object)
        },
        f"{ROOT}/versions": {"get": versions, "post": versions},
        f"{ROOT}/predict": {
            "post": operation("Label Studio: pre-labels", results, problems, body=asked)
        },
        f"{ROOT}/webhook": {
            "post": operation(
                "Label Studio: events", heard, PREDICTING, body=any_object, others=later
            )
        },
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": sorted(properties), "properties": properties}


members.register("label_studio")(Member(routes, paths=paths))
