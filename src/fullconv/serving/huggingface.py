"""POST /hf: the task "image-segmentation" of Hugging Face's inference clients."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fullconv.batch.writers import Writer
from fullconv.errors import printable
from fullconv.inference.prediction import Prediction
from fullconv.io.images import encode_grey
from fullconv.io.output_text import json_bytes
from fullconv.serving._body import Body, content_type
from fullconv.serving._json import decode_base64, read_json_photo
from fullconv.serving._members import Member, Paths, members
from fullconv.serving._openapi import (
    BASE64,
    BINARY,
    NAMED,
    PREDICTING,
    json_content,
    operation,
    path_parameter,
)
from fullconv.serving._photo_body import read_photo
from fullconv.serving._predict import predict_body
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service

SUBTASKS = (None, "semantic")


def routes(service: Service) -> Sequence[Route]:
    """Return the routes of the task."""

    async def predict(request: Request) -> Response:
        served = service.model(request.path_params.get("name"))
        stages = request.scope["fullconv.stages"]
        with service.place():
            with stages.measure("body"):
                body = await _read(service, request)
            try:
                result = await predict_body(service, request, served, body, OUTPUT, None, stages)
            finally:
                body.close()
        return Response(result.content, media_type="application/json")

    return [
        Route("/hf", predict, methods=["POST"]),
        Route("/hf/{name}", predict, methods=["POST"]),
    ]


def encode_segments(prediction: Prediction) -> bytes:
    """Return a list of the classes that occur, as JSON: label, score and mask.

    A mask is a grey PNG as base64, 255 at the pixels of the class; the score is the mean of their
    probabilities, in [0, 1].
    """
    best = prediction.probabilities.max(0)
    segments = []
    for label, pixels in enumerate(prediction.pixels):
        if not pixels:
            continue
        mask = prediction.labels == label
        picture = encode_grey(np.where(mask, np.uint8(255), np.uint8(0)))
        segments.append(
            {
                "label": prediction.classes[label],
                "score": round(float(best[mask].mean(dtype=np.float64)), 6),
                "mask": b64encode(picture).decode("ascii"),
            }
        )
    return json_bytes(segments)


OUTPUT = Writer(".json", encode_segments, scores=True, pixel_bytes=16, score_bytes=8)


async def _read(service: Service, request: Request) -> Body:
    """Read a photo, or JSON of inputs and parameters."""
    if content_type(request) != "application/json":
        return await read_photo(service, request)
    return await read_json_photo(service, request, _inputs)


def _inputs(values: dict[str, Any]) -> bytes:
    _check_parameters(values)
    photo = decode_base64(values.get("inputs"), '"inputs"')
    if not photo:
        raise Problem(400, 'an empty photo in "inputs"')
    return photo


def _check_parameters(values: dict[str, Any]) -> None:
    unknown = sorted(set(values) - {"inputs", "parameters"})
    parameters = values.get("parameters") or {}
    if unknown or not isinstance(parameters, dict):
        raise Problem(400, 'expected the fields "inputs" and "parameters", which is an object')
    for name, value in parameters.items():
        if name != "subtask" or value not in SUBTASKS:
            raise Problem(
                400,
                f"the parameter {printable(str(name)[:40])} = {printable(str(value)[:40])} is not "
                'supported; expected none, or subtask = "semantic"',
            )


def paths(service: Service) -> Paths:
    """Return what openapi.json says of the routes."""
    segment = {
        "type": "object",
        "required": ["label", "score", "mask"],
        "properties": {"label": {"type": "string"}, "score": {"type": "number"}, "mask": BASE64},
    }
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "inputs": BASE64,
            "parameters": {
                "type": "object",
                "properties": {"subtask": {"enum": ["semantic"]}},
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
    }
    body = {**json_content(request), "application/octet-stream": {"schema": BINARY}}
    response = json_content({"type": "array", "items": segment})
    text = "Segments in Hugging Face's form"
    named = [path_parameter("name", list(service.models))]
    return {
        "/hf": {"post": operation(text, response, PREDICTING, body=body)},
        "/hf/{name}": {
            "post": operation(
                text, response, sorted({*NAMED, *PREDICTING}), body=body, parameters=named
            )
        },
    }


members.register("huggingface")(Member(routes, paths=paths))
