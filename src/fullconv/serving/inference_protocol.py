"""The Open Inference Protocol v2, which clients of Triton and KServe speak."""

import io
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv._version import __version__
from fullconv.batch.photo_memory import predict_photo
from fullconv.batch.writers import Writer
from fullconv.errors import MemoryBudgetError
from fullconv.inference.stopping import Stop, check_stop
from fullconv.io.images import Header, decode_image, decoding_bytes, peek_header
from fullconv.serving._body import DEFAULT_NAME, read_raw
from fullconv.serving._json import parsing, parsing_bytes
from fullconv.serving._members import Member, Paths, members
from fullconv.serving._models import ServedModel
from fullconv.serving._openapi import (
    BINARY,
    NAMED,
    PREDICTING,
    json_content,
    operation,
    path_parameter,
)
from fullconv.serving._predict import check_not_georeferenced, check_photo
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service
from fullconv.serving._stages import Stages, waiting
from fullconv.serving._tensors import (
    INPUT,
    LENGTH,
    TEXT_BYTES,
    InferRequest,
    encode_response,
    json_length,
    parse_request,
)
from fullconv.units import format_bytes, format_bytes_up

MODEL = "/v2/models/{name}"
VERSION = MODEL + "/versions/{version}"


def routes(service: Service) -> Sequence[Route]:
    """Return the routes of the protocol; those of health are in `health.py`."""

    async def server(request: Request) -> Response:
        facts = {"name": "fullconv", "version": __version__, "extensions": ["binary_tensor_data"]}
        return JSONResponse(facts)

    async def model(request: Request) -> Response:
        return JSONResponse(_metadata(_served(service, request)))

    async def ready(request: Request) -> Response:
        served = _served(service, request)
        status = 200 if service.is_ready else 503
        return JSONResponse({"name": served.name, "ready": service.is_ready}, status)

    async def infer(request: Request) -> Response:
        return await _infer(service, request)

    return [
        Route("/v2", server),
        *(Route(path, model) for path in (MODEL, VERSION)),
        *(Route(f"{path}/ready", ready) for path in (MODEL, VERSION)),
        *(Route(f"{path}/infer", infer, methods=["POST"]) for path in (MODEL, VERSION)),
    ]


async def _infer(service: Service, request: Request) -> Response:
    served = _served(service, request)
    request.scope["fullconv.model"] = served.name
    stages: Stages = request.scope["fullconv.stages"]
    with service.place():
        with stages.measure("body"):
            body = await read_raw(service, request)

        def work(stop: Stop) -> tuple[bytes, int | None]:
            check_stop(stop)
            length = request.headers.get(LENGTH)
            count = parsing_bytes(body, json_length(length, body.size))
            with waiting(parsing(service, count, stop), stages):
                with stages.measure("decode"):
                    wanted = parse_request(body.content(), length)
                body.close()
                return _respond(service, served, wanted, stages, stop)

        try:
            encoded, length = await service.run(request, work, body.received)
        finally:
            body.close()
    headers = {"Server-Timing": stages.header}
    if length is None:
        return Response(encoded, headers=headers, media_type="application/json")
    headers[LENGTH] = str(length)
    return Response(encoded, headers=headers, media_type="application/octet-stream")


def _respond(
    service: Service,
    served: ServedModel,
    wanted: InferRequest,
    stages: Stages,
    stop: Stop,
) -> tuple[bytes, int | None]:
    """Predict the images of a request, one after the other, and encode its outputs.

    Args:
        service: whose memory counts.
        served: predicts.
        wanted: the request.
        stages: gets the times.
        stop: as for `Model.predict`.

    Raises:
        Problem: photos of several sizes.
        ImageError: a photo is not predicted.
        MemoryBudgetError: they take more memory than the server has.
    """
    headers = [_header(image) for image in wanted.images]
    if len({header.size for header in headers}) > 1:
        raise Problem(400, "photos of several sizes; send each in a request of its own")
    first, count = max(headers, key=decoding_bytes), len(headers)
    check_photo(first, DEFAULT_NAME, service.limits.max_pixels // count)
    output = _output(wanted.outputs, count)
    memory = service.plan(served, first, output)
    if memory.held > service.limits.photo_memory:
        raise MemoryBudgetError(
            f"the images and their results take {format_bytes_up(memory.held)}; the memory given "
            f"is {format_bytes(service.limits.photo_memory)}: send fewer or smaller images at a "
            "time"
        )
    labels, scores = [], []
    with waiting(service.gate.admit(memory, stop), stages):
        for image in wanted.images:
            check_stop(stop)
            with stages.measure("decode"):
                pixels = _decode(served, image) if isinstance(image, bytes) else image
                pixels = np.ascontiguousarray(pixels)
            with waiting(service.gate.compute(memory, stop), stages), stages.measure("compute"):
                found = predict_photo(served.model, pixels, [output], None, memory.limit, stop)
            labels.append(found.labels)
            if found.score_array is not None:
                scores.append(found.score_array)
        check_stop(stop)
        with stages.measure("encode"):
            arrays = {"labels": np.stack(labels)}
            arrays |= {"score": np.stack(scores)} if scores else {}
            values = {"model_name": served.name, "model_version": served.fingerprint}
            values |= {"id": wanted.id} if wanted.id else {}
            encoded = encode_response(values, wanted.outputs, arrays)
    service.metrics.pixels.inc(count * prod(first.size))
    return encoded


def _decode(served: ServedModel, photo: bytes) -> np.ndarray:
    return decode_image(photo, DEFAULT_NAME, served.value_range)


def _output(outputs: Mapping[str, bool], count: int) -> Writer:
    """Return what is kept of `count` images: their labels and scores, twice, and as bytes."""
    text = {name: TEXT_BYTES[name] for name, is_binary in outputs.items() if not is_binary}
    return Writer(
        "",
        lambda prediction: b"",
        scores="score" in outputs,
        pixel_bytes=count * (3 + text.get("labels", 0)),
        score_bytes=count * (12 + text.get("score", 0)) if "score" in outputs else 0,
    )


def _header(image: "np.ndarray | bytes") -> Header:
    """Return the header of a photo, or of one with an array's size."""
    if isinstance(image, bytes):
        header = peek_header(Path(DEFAULT_NAME), image)
        check_not_georeferenced(header, DEFAULT_NAME, io.BytesIO(image))
        return header
    size = (image.shape[0], image.shape[1])
    return Header(size, size, "RGB", "BMP", 1, 1)


def _served(service: Service, request: Request) -> ServedModel:
    """Return the model of a path; its only version is its fingerprint."""
    served = service.model(request.path_params["name"])
    version = request.path_params.get("version", served.fingerprint)
    if version != served.fingerprint:
        raise Problem(404, f"unknown version {version[:40]!r}; expected {served.fingerprint}")
    return served


def _metadata(served: ServedModel) -> dict[str, Any]:
    classes = len(served.model.classes)
    return {
        "name": served.name,
        "versions": [served.fingerprint],
        "platform": f"fullconv_{served.engine}",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, 3, -1, -1]}],
        "outputs": [
            {"name": "labels", "datatype": "UINT8", "shape": [-1, -1, -1]},
            {"name": "score", "datatype": "FP32", "shape": [-1, classes, -1, -1]},
        ],
    }


def paths(service: Service) -> Paths:
    """Return what openapi.json says of the routes."""
    found: dict[str, dict[str, Any]] = {}
    anything = json_content({"type": "object"})
    found["/v2"] = {"get": operation("The server", anything)}
    name = path_parameter("name", list(service.models))
    versions = sorted({served.fingerprint for served in service.models.values()})
    body = {**anything, "application/octet-stream": {"schema": BINARY}}
    problems = sorted({*NAMED, *PREDICTING})
    for path in (MODEL, VERSION):
        given = [name] if path == MODEL else [name, path_parameter("version", versions)]
        busy = {"503": {"description": "It takes no work now", "content": anything}}
        found[path] = {"get": operation("A model", anything, NAMED, parameters=given)}
        found[f"{path}/ready"] = {
            "get": operation(
                "Whether a model takes work", anything, NAMED, parameters=given, others=busy
            )
        }
        found[f"{path}/infer"] = {
            "post": operation("Predict images", body, problems, parameters=given, body=body)
        }
    return found


members.register("inference_protocol")(Member(routes, paths=paths))
