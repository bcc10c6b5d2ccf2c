"""POST /predict: a photo in, the bytes that `fullconv predict` writes out; and the models' list."""

from collections.abc import Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fullconv.errors import printable
from fullconv.serving._body import read_photo
from fullconv.serving._members import Member, members
from fullconv.serving._outputs import choose_output, find_output, media_type, output_names
from fullconv.serving._predict import predict_body, result_key
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service
from fullconv.serving._stages import Stages

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
    stages = Stages()
    with service.place():
        with stages.measure("body"):
            body = await read_photo(request, service.limits)
        try:
            output = find_output(kind, served, body.name)
            options = {"format": kind, "scales": scales}
            if kind == "areas":
                options["name"] = body.name
            etag = f'"{result_key(service, served, body.digest, options)}"'
            headers = {"ETag": etag, "Fullconv-Model": f"{served.name} {served.fingerprint}"}
            if _matches(request.headers.get("if-none-match", ""), etag):
                return Response(status_code=304, headers=headers)
            result = await predict_body(service, request, served, body, output, scales, stages)
        finally:
            body.close()
    if result.note:
        headers["Fullconv-Note"] = quote(result.note, safe=PLAIN)
    headers |= {"Server-Timing": stages.header, "Vary": "Accept", "Cache-Control": "no-cache"}
    return Response(result.content, headers=headers, media_type=media_type(output))


def _describe(service: Service, name: str) -> dict[str, object]:
    return service.model(name).describe() | {"formats": output_names()}


def _parse_query(request: Request) -> tuple[str, bool]:
    """Return the output's name, and whether to use test-time augmentation.

    Raises:
        Problem: a parameter is unknown, repeated or has another value.
        UnknownNameError: there is no such output.
    """
    given = request.query_params
    names = [name for name, _ in given.multi_items()]
    unknown = sorted({*names} - {"format", "tta"})
    if unknown:
        raise Problem(
            400, f"unknown parameter {printable(unknown[0][:60])!r}; expected format and tta"
        )
    if len(names) != len({*names}):
        raise Problem(400, "a parameter is given twice; expected each once")
    tta = given.get("tta", "0").lower()
    if tta not in SWITCH:
        raise Problem(400, f"tta={printable(tta[:20])}; expected 1 or 0")
    return choose_output(given.get("format"), request.headers.get("accept", "")), SWITCH[tta]


def _matches(header: str, etag: str) -> bool:
    """Return whether an If-None-Match header names an ETag."""
    known = [part.strip().removeprefix("W/") for part in header.split(",")]
    return etag in known


members.register("photos")(Member(routes))
