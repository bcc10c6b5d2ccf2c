"""Read the photo of a request, whatever the type of its body."""

from typing import Any

from starlette.requests import Request

from fullconv.errors import printable
from fullconv.serving._body import Body, content_type, read_raw
from fullconv.serving._forms import read_file
from fullconv.serving._json import decode_base64, read_json_photo
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service

# curl sends a form's type with --data-binary unless it is told another.
_RAW = ("", "application/octet-stream", "application/x-www-form-urlencoded")


async def read_photo(service: Service, request: Request) -> Body:
    """Read a photo from a body: its bytes, a form with one file, or JSON {"image": base64}.

    Raises:
        Problem: another type of body, one that is too long, too slow, damaged or empty.
        MemoryBudgetError: the JSON takes more than the server's memory.
        ClientLeftError: the client closed the connection.
    """
    kind = content_type(request)
    if kind == "multipart/form-data":
        body = await read_file(service, request)
    elif kind == "application/json":
        body = await read_json_photo(service, request, _image_field)
    elif kind in _RAW or kind.startswith("image/"):
        body = await read_raw(service, request)
    else:
        raise Problem(
            415,
            f"a body of type {printable(kind[:60])}; expected a photo (image/*, "
            "application/octet-stream), a form with one file, or JSON",
        )
    if not body.size:
        body.close()
        raise Problem(400, "an empty body; expected a photo")
    return body


def _image_field(values: dict[str, Any]) -> bytes:
    if set(values) != {"image"}:
        names = ", ".join(sorted(map(str, values)))[:100]
        raise Problem(400, f'JSON with the fields {names or "none"}; expected "image" alone')
    return decode_base64(values["image"], '"image"')
