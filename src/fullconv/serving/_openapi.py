"""Pieces of an OpenAPI 3.1 document that several parts of the server use."""

from collections.abc import Mapping, Sequence
from typing import Any

from fullconv.serving._problems import MEDIA_TYPE

BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}
BASE64 = {"type": "string", "contentEncoding": "base64"}

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "error"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was found and expected, for people."},
        "error": {"type": "string", "description": "The same as detail."},
    },
}

# What can go wrong, by what a request does.
ANY = (400, 401, 403, 405)
NAMED = (*ANY, 404)
PREDICTING = (*ANY, 408, 413, 415, 422, 500, 503, 504)

_MEANINGS = {
    400: "The request is not understood.",
    401: "The key is missing or wrong.",
    403: "The host or the origin is not allowed.",
    404: "There is no such model or path.",
    405: "Another method is expected.",
    408: "The body is too slow.",
    409: "Another one has this name.",
    413: "The body is too long.",
    415: "The body has another type or encoding.",
    422: "The photo cannot be predicted.",
    500: "A bug, or a broken model.",
    502: "Label Studio did not send the photo.",
    503: "Too many requests, or the server is about to end; try again after Retry-After seconds.",
    504: "No result within the limit of time.",
}


def operation(
    summary: str,
    content: Mapping[str, Any],
    problems: Sequence[int] = ANY,
    *,
    parameters: Sequence[Mapping[str, Any]] = (),
    body: Mapping[str, Any] | None = None,
    others: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an operation.

    Args:
        summary: one line.
        content: media type -> description of the response of status 200.
        problems: statuses of problems.
        parameters: of the path and the query.
        body: media type -> description of the request's body.
        others: further responses, by status.
    """
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}}
    responses |= others or {}
    schema = {"$ref": "#/components/schemas/Problem"}
    for status in problems:
        responses[str(status)] = {
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
    result: dict[str, Any] = {"summary": summary, "responses": responses}
    if parameters:
        result["parameters"] = list(parameters)
    if body is not None:
        result["requestBody"] = {"required": True, "content": body}
    return result


def json_content(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of JSON."""
    return {"application/json": {"schema": schema}}


def path_parameter(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Return a parameter in the path with the values that it can have."""
    schema = {"type": "string", "enum": list(values)}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def text_parameter(name: str, text: str) -> dict[str, Any]:
    """Return a parameter in the path with any value."""
    schema = {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": text}


def query_parameter(name: str, schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Return an optional parameter of the query."""
    return {"name": name, "in": "query", "schema": schema, "description": text}
