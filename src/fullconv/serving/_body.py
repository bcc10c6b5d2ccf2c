"""Read the body of a request, within limits of size and time."""

import asyncio
import hashlib
import tempfile
import time
from base64 import b64decode
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from fullconv.errors import DataError, OutputError, printable
from fullconv.io.text import parse_json
from fullconv.serving._limits import Limits
from fullconv.serving._problems import ClientLeftError, Problem
from fullconv.units import format_bytes

IN_MEMORY = 8 * 2**20  # bytes; larger bodies are kept in a temporary file
MAX_FIELDS = 8  # of a form, beside its file
MAX_FIELD_BYTES = 1024
CHUNK = 2**20
DEFAULT_NAME = "photo"
OPTIONS = ("format", "tta", "model", "replace")  # of the query

# curl sends a form's type with --data-binary unless it is told another.
_RAW = ("", "application/octet-stream", "application/x-www-form-urlencoded")

Result = TypeVar("Result")


class Body:
    """The bytes of a photo: in memory, or in a temporary file.

    Attributes:
        name: for messages.
        size: in bytes.
    """

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        self.name, self.size = name, 0
        self._content: bytearray | None = bytearray()
        self._file: Any = None
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """The SHA-256 of the bytes, hexadecimal."""
        return self._digest.hexdigest()

    def append(self, chunk: bytes) -> None:
        """Add bytes; may write to the disk.

        Raises:
            OutputError: the disk is full, or has no folder for temporary files.
        """
        self.size += len(chunk)
        self._digest.update(chunk)
        with _explained():
            if self._content is not None and len(self._content) + len(chunk) > IN_MEMORY:
                self._file = tempfile.NamedTemporaryFile(prefix="fullconv-")  # noqa: SIM115
                self._file.write(self._content)
                self._content = None
            if self._content is None:
                self._file.write(chunk)
            else:
                self._content += chunk

    @property
    def needs_disk(self) -> bool:
        """Whether `append` writes to the disk."""
        return self._content is None or len(self._content) + CHUNK > IN_MEMORY

    def open(self, reader: Callable[[Path, bytes | None], Result]) -> Result:
        """Return what `reader` makes of a path and the bytes; errors name `name`.

        Args:
            reader: gets a file and None, or a name and its bytes.
        """
        if self._content is not None:
            return reader(Path(self.name), bytes(self._content))
        with _explained():
            self._file.flush()
        try:
            return reader(Path(self._file.name), None)
        except DataError as error:
            error.where = self.name
            raise

    def content(self) -> bytes:
        """Return the bytes."""
        return self.open(lambda path, content: path.read_bytes() if content is None else content)

    def close(self) -> None:
        """Forget the bytes."""
        self._content = bytearray()
        if self._file is not None:
            with suppress(OSError):  # of bytes that no longer fit the disk
                self._file.close()


@contextmanager
def _explained() -> Iterator[None]:
    """Raise an OutputError that names the reason if a temporary file cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the server cannot keep the body in a temporary file ({error.strerror or error}); "
            "free some space, or start it with TMPDIR set to another folder"
        ) from error


async def read_photo(request: Request, limits: Limits) -> Body:
    """Read a photo from a body: its bytes, a form with one file, or JSON {"image": base64}.

    Raises:
        Problem: another type of body, one that is too long, too slow, damaged or empty.
        ClientLeftError: the client closed the connection.
    """
    kind = content_type(request)
    body = Body()
    try:
        if kind == "multipart/form-data":
            await _read_form(request, limits, body)
        elif kind == "application/json":
            text = await read_bytes(request, limits)
            await asyncio.to_thread(lambda: body.append(_image_field(parse_object(text))))
        elif kind in _RAW or kind.startswith("image/"):
            await _read_into(body, request, limits)
        else:
            raise Problem(
                415,
                f"a body of type {printable(kind[:60])}; expected a photo (image/*, "
                "application/octet-stream), a form with one file, or JSON",
            )
        if not body.size:
            raise Problem(400, "an empty body; expected a photo")
    except BaseException:
        body.close()
        raise
    return body


async def read_raw(request: Request, limits: Limits) -> Body:
    """Read a body as it is; see `stream_body`."""
    body = Body()
    try:
        await _read_into(body, request, limits)
    except BaseException:
        body.close()
        raise
    return body


async def read_bytes(request: Request, limits: Limits) -> bytes:
    """Read a whole body into memory; see `stream_body`."""
    async with aclosing(stream_body(request, limits)) as stream:
        return b"".join([chunk async for chunk in stream])


async def read_object(request: Request, limits: Limits) -> dict[str, Any]:
    """Read an object of JSON, and parse it in a thread; see `read_bytes` and `parse_object`."""
    return await asyncio.to_thread(parse_object, await read_bytes(request, limits))


def parse_object(content: bytes) -> dict[str, Any]:
    """Parse an object of JSON.

    Raises:
        Problem: it is something else.
    """
    try:
        values = parse_json(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON ({str(error)[:100]})") from error
    if not isinstance(values, dict):
        raise Problem(400, f"the JSON is a {type(values).__name__}; expected an object")
    return values


def decode_base64(text: object, what: str) -> bytes:
    """Decode base64 text of a request.

    Args:
        text: from JSON.
        what: for the message, e.g. '"image"'.

    Raises:
        Problem: it is no text, or not base64.
    """
    if not isinstance(text, str):
        raise Problem(400, f"{what} is not a text; expected the photo's bytes as base64")
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise Problem(400, f"{what} is not base64 ({error})") from error


async def stream_body(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of a body.

    Raises:
        Problem: it is longer than `max_body`, by its header or as counted, or too slow.
        ClientLeftError: the client closed the connection.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.max_body:
        raise _too_long(limits)
    size, deadline = 0, time.monotonic() + limits.body_seconds
    more = True
    while more:
        pause = min(limits.body_pause, max(0.0, deadline - time.monotonic()))
        try:
            message = await asyncio.wait_for(request.receive(), pause)
        except TimeoutError:
            raise Problem(
                408,
                f"the body is too slow; expected a byte every {limits.body_pause:g} seconds and "
                f"all within {limits.body_seconds:g} seconds",
                reason="slow",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limits.max_body:
            raise _too_long(limits)
        if chunk:
            yield chunk


def content_type(request: Request) -> str:
    """Return the media type of a body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def file_name(text: str | None) -> str:
    """Return the last part of a client's file name, as text in one line."""
    last = (text or "").replace("\\", "/").rpartition("/")[2]
    return printable(last).strip(" .")[:200] or DEFAULT_NAME


async def _read_into(body: Body, request: Request, limits: Limits) -> None:
    async with aclosing(stream_body(request, limits)) as stream:
        async for chunk in stream:
            await _append(body, chunk)


async def _append(body: Body, chunk: bytes) -> None:
    if body.needs_disk:
        await asyncio.to_thread(body.append, chunk)
    else:
        body.append(chunk)


async def read_files(request: Request, limits: Limits, names: Sequence[str]) -> dict[str, Body]:
    """Read a form that has exactly these files.

    Args:
        request: with a body of type multipart/form-data.
        limits: of the server.
        names: of the form's fields.

    Raises:
        Problem: another body, or one that is too long, too slow or damaged.
        ClientLeftError: the client closed the connection.
    """
    expected = " and ".join(names)
    if content_type(request) != "multipart/form-data":
        kind = printable(content_type(request)[:60]) or "none"
        raise Problem(415, f"a body of type {kind}; expected a form with the files {expected}")
    form = await _parse_form(request, limits, len(names))
    bodies: dict[str, Body] = {}
    try:
        _refuse_options(form)
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                found = bodies[name] = Body(name)
                await _fill(found, value)
        if sorted(bodies) != sorted(names) or not all(body.size for body in bodies.values()):
            given = ", ".join(printable(name[:40]) for name, body in bodies.items() if body.size)
            raise Problem(
                400, f"a form with the files {given or 'none'}; expected the files {expected}"
            )
    except BaseException:
        for body in bodies.values():
            body.close()
        raise
    finally:
        await form.close()
    return bodies


async def _read_form(request: Request, limits: Limits, body: Body) -> None:
    form = await _parse_form(request, limits, 1)
    try:
        _refuse_options(form)
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if len(files) != 1:
            raise Problem(400, "the form has no file; expected one, the photo")
        body.name = file_name(files[0].filename)
        await _fill(body, files[0])
    finally:
        await form.close()


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


async def _fill(body: Body, file: UploadFile) -> None:
    while chunk := await file.read(CHUNK):
        await _append(body, chunk)


async def _parse_form(request: Request, limits: Limits, files: int) -> FormData:
    async with aclosing(stream_body(request, limits)) as stream:
        parser = MultiPartParser(
            request.headers,
            stream,
            max_files=files,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
        form = FormData()
        try:
            with _explained():
                form = await parser.parse()
            return form
        except MultiPartException as error:
            number = "one file" if files == 1 else f"{files} files"
            raise Problem(
                400,
                f"the form cannot be read ({error.message.rstrip('.')}); expected {number} and at "
                f"most {MAX_FIELDS} fields of {MAX_FIELD_BYTES} bytes",
            ) from error
        finally:
            # Starlette closes them after its own errors only, and never that of a part without end.
            kept = {id(one.file) for _, one in form.multi_items() if isinstance(one, UploadFile)}
            for file in parser._files_to_close_on_error:
                if id(file) not in kept:
                    file.close()


def _image_field(values: dict[str, Any]) -> bytes:
    if set(values) != {"image"}:
        names = ", ".join(sorted(map(str, values)))[:100]
        raise Problem(400, f'JSON with the fields {names or "none"}; expected "image" alone')
    return decode_base64(values["image"], '"image"')


def _too_long(limits: Limits) -> Problem:
    return Problem(
        413,
        f"the body is longer than {format_bytes(limits.max_body)}, which is the limit",
        reason="size",
    )
