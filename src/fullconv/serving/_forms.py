"""Read the files of a form."""

from collections.abc import Sequence
from contextlib import aclosing

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from fullconv.errors import printable
from fullconv.serving._body import Body, append, content_type, explained, file_name, stream_body
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service

MAX_FIELDS = 8  # of a form, beside its file
MAX_FIELD_BYTES = 1024
CHUNK = 2**20
OPTIONS = ("format", "tta", "model", "replace")  # of the query


async def read_files(service: Service, request: Request, names: Sequence[str]) -> dict[str, Body]:
    """Read a form that has exactly these files.

    Args:
        service: whose limits count.
        request: with a body of type multipart/form-data.
        names: of the form's fields.

    Raises:
        Problem: another body, or one that is too long, too slow or damaged.
        ClientLeftError: the client closed the connection.
    """
    expected = " and ".join(names)
    if content_type(request) != "multipart/form-data":
        kind = printable(content_type(request)[:60]) or "none"
        raise Problem(415, f"a body of type {kind}; expected a form with the files {expected}")
    found = await _read_all(service, request, len(names))
    bodies: dict[str, Body] = {}
    try:
        for name, body in found:
            body.name = name
            bodies[name] = body
        if sorted(bodies) != sorted(names) or not all(body.size for body in bodies.values()):
            given = ", ".join(printable(name[:40]) for name, body in bodies.items() if body.size)
            raise Problem(
                400, f"a form with the files {given or 'none'}; expected the files {expected}"
            )
    except BaseException:
        for _, body in found:
            body.close()
        raise
    return bodies


async def read_file(service: Service, request: Request) -> Body:
    """Read the only file of a form.

    Raises:
        Problem: there is none, or the form is too long, too slow or damaged.
        ClientLeftError: the client closed the connection.
    """
    found = await _read_all(service, request, 1)
    if not found:
        raise Problem(400, "the form has no file; expected one, the photo")
    return found[0][1]


async def _read_all(service: Service, request: Request, most: int) -> list[tuple[str, Body]]:
    """Return the files of a form, at most so many, each with the name of its field."""
    found: list[tuple[str, Body]] = []
    # Starlette keeps the first bytes of each file in memory while it reads the form.
    kept = most * MultiPartParser.spool_max_size
    in_memory = service.bodies.take(kept)
    try:
        form = await _parse_form(service, request, most, in_memory)
        try:
            _refuse_options(form)
            for name, file in form.multi_items():
                if isinstance(file, UploadFile):
                    body = Body(service.bodies, file_name(file.filename))
                    found.append((name, body))
                    while chunk := await file.read(CHUNK):
                        await append(body, chunk)
        finally:
            await form.close()
    except BaseException:
        for _, body in found:
            body.close()
        raise
    finally:
        if in_memory:
            service.bodies.give_back(kept)
    return found


def _refuse_options(form: FormData) -> None:
    """Refuse options in a form, which would have no effect there.

    Raises:
        Problem: it has one.
    """
    for name, value in form.multi_items():
        if name in OPTIONS and isinstance(value, str):
            raise Problem(
                400,
                f"{name} is a field of the form; expected it in the query of the URL: "
                f"?{name}={printable(value[:40])}",
            )


async def _parse_form(service: Service, request: Request, files: int, in_memory: bool) -> FormData:
    async with aclosing(stream_body(request, service.limits)) as stream:
        parser = MultiPartParser(
            request.headers,
            stream,
            max_files=files,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        if not in_memory:
            parser.spool_max_size = 1  # byte; 0 is no limit
        form = FormData()
        try:
            with explained():
                form = await parser.parse()
            return form
        except (MultiPartException, UnicodeError) as error:  # UnicodeError: charset=undefined
            number = "one file" if files == 1 else f"{files} files"
            reason = getattr(error, "message", str(error)).rstrip(".")
            raise Problem(
                400,
                f"the form cannot be read ({reason}); expected {number} and at "
                f"most {MAX_FIELDS} fields of {MAX_FIELD_BYTES} bytes",
            ) from error
        finally:
            # Starlette closes them after its own errors only, and never that of a part without end.
            kept = {id(one.file) for _, one in form.multi_items() if isinstance(one, UploadFile)}
            for file in parser._files_to_close_on_error:
                if id(file) not in kept:
                    file.close()
