"""Read the body of a request, within limits of size, time and memory."""

import asyncio
import hashlib
import io
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from starlette.requests import Request

from fullconv.batch.memory_gate import MemoryGate
from fullconv.errors import DataError, OutputError, printable
from fullconv.serving._limits import Limits
from fullconv.serving._problems import ClientLeftError, Problem
from fullconv.serving._service import Service
from fullconv.units import format_bytes

IN_MEMORY = 8 * 2**20  # bytes; larger bodies are kept in a temporary file
DEFAULT_NAME = "photo"

Result = TypeVar("Result")


class Body:
    """The bytes of a photo, or of JSON: in memory as long as there is room, or in a temporary file.

    Args:
        memory: counts the bytes that are in memory; what does not fit goes to the file.
        name: for messages.

    Attributes:
        name: for messages.
        size: in bytes.
        received: when its last byte came, by `time.monotonic`.
    """

    def __init__(self, memory: MemoryGate, name: str = DEFAULT_NAME) -> None:
        self.name, self.size, self.received = name, 0, time.monotonic()
        self._memory, self._taken = memory, 0
        self._lock, self._closed = Lock(), False
        self._content = io.BytesIO()
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
        if not self.hold(chunk):
            self.spool(chunk)

    def hold(self, chunk: bytes) -> bool:
        """Add bytes in memory; return whether there is room for them."""
        if self._file is not None or self.size + len(chunk) > IN_MEMORY:
            return False
        with self._lock:
            if self._closed or not self._memory.take(len(chunk)):
                return False
            self._taken += len(chunk)
        self._content.write(chunk)
        self._count(chunk)
        return True

    def spool(self, chunk: bytes) -> None:
        """Add bytes in the temporary file, after those that are in memory.

        Raises:
            OutputError: the disk is full, or has no folder for temporary files.
        """
        if self._closed:  # by who no longer waits for this thread
            return
        with explained():
            if self._file is None:
                self._file = tempfile.NamedTemporaryFile(prefix="fullconv-")  # noqa: SIM115
                self._file.write(self._content.getbuffer())
                self._forget()
            self._file.write(chunk)
        self._count(chunk)

    def open(self, reader: Callable[[Path, bytes | None], Result]) -> Result:
        """Return what `reader` makes of a path and the bytes; errors name `name`.

        Args:
            reader: gets a file and None, or a name and its bytes.
        """
        if self._file is None:
            return reader(Path(self.name), self._content.getvalue())  # no copy
        with explained():
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
        """Forget the bytes, and those that another thread is still adding."""
        with self._lock:
            self._closed = True
        self._forget()
        if self._file is not None:
            with suppress(OSError):  # of bytes that no longer fit the disk
                self._file.close()

    def _count(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.received = time.monotonic()
        self._digest.update(chunk)

    def _forget(self) -> None:
        """Forget the bytes in memory; two threads may do so at a time."""
        with self._lock:
            taken, self._taken, self._content = self._taken, 0, io.BytesIO()
        self._memory.give_back(taken)


@contextmanager
def explained() -> Iterator[None]:
    """Raise an OutputError that names the reason if a temporary file cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the server cannot keep the body in a temporary file ({error.strerror or error}); "
            "free some space, or start it with TMPDIR set to another folder"
        ) from error


async def read_raw(service: Service, request: Request) -> Body:
    """Read a body as it is.

    Raises:
        Problem: it is too long or too slow.
        ClientLeftError: the client closed the connection.
    """
    body = Body(service.bodies)
    try:
        async with aclosing(stream_body(request, service.limits)) as stream:
            async for chunk in stream:
                await append(body, chunk)
    except BaseException:
        body.close()
        raise
    return body


async def append(body: Body, chunk: bytes) -> None:
    """Add bytes to a body, in a thread if they go to the disk."""
    if not body.hold(chunk):
        await asyncio.to_thread(body.spool, chunk)


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


def _too_long(limits: Limits) -> Problem:
    return Problem(
        413,
        f"the body is longer than {format_bytes(limits.max_body)}, which is the limit",
        reason="size",
    )
