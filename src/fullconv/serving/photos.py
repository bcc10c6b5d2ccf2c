"""POST /predict: a photo in, the bytes that `fullconv predict` writes out; and the models' list."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv.errors import printable
from fullconv.serving._members import Member, Paths, members
from fullconv.serving._openapi import (
    BASE64,
    BINARY,
    NAMED,
    PREDICTING,
    json_content,
    operation,
    path_parameter,
    query_parameter,
)
from fullconv.serving._outputs import (
    MEDIA_TYPES,
    choose_output,
    find_output,
    holds_name,
    media_type,
    output_names,
)
from fullconv.serving._photo_body import read_photo
from fullconv.serving._predict import predict_body, result_key
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service

SWITCH = {"1": True, "true": True, "0": False, "false": False}
PLAIN = " ,;:()./+-"  # characters of a note that a header holds as they are


def routes(service: Service) -> Sequence[Route]:
    """Return the routes of predictions and models."""

    async def predict(request: Request) -> Response:
        return await _predict(service, request)

    async def list_models(request: Request) -> Response:
        return JSONResponse([_describe(service, name) for name in service.models])

    async def show_model(request: Request) -> Response:
        return JSONResponse(_describe(service, request.path_params["name"]))

    return [
        Route("/predict", predict, methods=["POST"]),
        Route("/models", list_models),
        Route("/models/{name}", show_model),
        Route("/models/{name}/predict", predict, methods=["POST"]),
    ]


async def _predict(service: Service, request: Request) -> Response:
    served = service.model(request.path_params.get("name"))
    kind, tta = _parse_query(request)
    scales = served.model.tta_scales if tta else None
    stages = request.scope["fullconv.stages"]
    with service.place():
        with stages.measure("body"):
            body = await read_photo(service, request)
        try:
            output = find_output(kind, served, body.name)
            options = {"format": kind, "scales": scales}
            if holds_name(kind):
                options["name"] = body.name
            etag = f'"{result_key(service, served, body.digest, options)}"'
            headers = {"ETag": etag, "Fullconv-Model": f"{served.name} {served.fingerprint}"}
            headers |= {"Fullconv-Engine": served.engine, "Vary": "Accept"}
            headers["Cache-Control"] = "no-cache"
            if _matches(request.headers.get("if-none-match", ""), etag):
                return Response(status_code=304, headers=headers)
            result = await predict_body(service, request, served, body, output, scales, stages)
        finally:
            body.close()
    if result.note:
        headers["Fullconv-Note"] = quote(result.note, safe=PLAIN)
    headers["Server-Timing"] = stages.header
    return Response(result.content, headers=headers, media_type=media_type(output))


def _describe(service: Service, name: str) -> dict[str, object]:
    return service.model(name).describe() | {"formats": output_names()}


def _parse_query(request: Request) -> tuple[str, bool]:
    """Return the output's name, and whether to use test-time augmentation.

    Raises:
        Problem: a parameter has another value.
        UnknownNameError: there is no such output.
    """
    given = request.query_params
    tta = given.get("tta", "0").lower()
    if tta not in SWITCH:
        raise Problem(400, f"tta={printable(tta[:20])}; expected 1 or 0")
    return choose_output(given.get("format"), request.headers.get("accept", "")), SWITCH[tta]


def _matches(header: str, etag: str) -> bool:
    """Return whether an If-None-Match header names an ETag."""
    known = [part.strip().removeprefix("W/") for part in header.split(",")]
    return etag in known


def paths(service: Service) -> Paths:
    """Return what openapi.json says of the routes."""
    names = [path_parameter("name", list(service.models))]
    model = {"$ref": "#/components/schemas/Model"}
    known = {"304": {"description": "If-None-Match names the response's ETag"}}

    def predict(problems: Sequence[int], parameters: Sequence[Any]) -> dict[str, Any]:
        content: dict[str, Any] = {kind: {"schema": {}} for kind in sorted({*MEDIA_TYPES.values()})}
        return operation(
            "Predict a photo", content, problems, parameters=parameters, body=_BODY, others=known
        )

    listed = json_content({"type": "array", "items": model})
    return {
        "/predict": {"post": predict(PREDICTING, _QUERY)},
        "/models": {"get": operation("The models", listed)},
        "/models/{name}": {
            "get": operation("A model", json_content(model), NAMED, parameters=names)
        },
        "/models/{name}/predict": {"post": predict((*PREDICTING, 404), [*names, *_QUERY])},
    }


_QUERY = [
    query_parameter(
        "format",
        {"type": "string", "enum": output_names()},
        "What is returned: a file that `fullconv predict` writes, areas as CSV, or JSON.",
    ),
    query_parameter("tta", {"type": "string", "enum": list(SWITCH)}, "Test-time augmentation."),
]
_IMAGE = {"type": "object", "required": ["image"], "properties": {"image": BASE64}}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": BINARY}}
_BODY = {
    "application/octet-stream": {"schema": BINARY},
    "multipart/form-data": {"schema": _FORM | {"additionalProperties": False}},
    "application/json": {"schema": _IMAGE | {"additionalProperties": False}},
}
_MODEL = {
    "type": "object",
    "required": ["name", "fingerprint", "classes", "palette", "formats"],
    "properties": {
        "name": {"type": "string"},
        "fingerprint": {"type": "string"},
        "classes": {"type": "array", "items": {"type": "string"}},
        "palette": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        "size": {"type": ["array", "null"], "items": {"type": "integer"}},
        "input_scale": {"type": "number"},
        "value_range": {"type": ["array", "null"], "items": {"type": "number"}},
        "tta_scales": {"type": "array", "items": {"type": "number"}},
        "engine": {"type": "string"},
        "precision": {"type": "string"},
        "parity": {"type": ["object", "null"]},
        "protocol": {"type": "string"},
        "formats": {"type": "array", "items": {"type": "string"}},
    },
}

members.register("photos")(Member(routes, paths=paths, schemas={"Model": _MODEL}))
