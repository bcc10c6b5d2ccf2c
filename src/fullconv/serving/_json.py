"""Parse JSON of requests as the memory for bodies allows."""

import io
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request

from fullconv.batch.memory_gate import InputMemory
from fullconv.errors import MemoryBudgetError
from fullconv.inference.stopping import Stop, check_stop
from fullconv.io.text import parse_json
from fullconv.serving._body import Body, read_raw
from fullconv.serving._problems import Problem
from fullconv.serving._service import Service
from fullconv.units import format_bytes, format_bytes_up

CHUNK = 2**20
TEXT_BYTES = 9  # per byte: the body, and a text with 4 bytes for each character, twice
VALUE_BYTES = {b",": 64, b"[": 64, b"{": 96, b":": 96, b"\\": 128}
"""What a value takes beside its text, by the character that comes before or in it; measured."""
BINARY_BYTES = 5  # per byte of binary data: twice as they came, and as numbers that are checked


class Parsed:
    """An object of JSON, whose memory is held until it is closed.

    Attributes:
        values: the object.
    """

    def __init__(self, values: dict[str, Any], held: ExitStack) -> None:
        self.values, self._held = values, held

    def close(self) -> None:
        """Hold its memory no longer."""
        self.values = {}
        self._held.close()


async def read_object(service: Service, request: Request) -> Parsed:
    """Read an object of JSON, and parse it in a thread as soon as the memory allows.

    Raises:
        Problem: it is something else, too long or too slow.
        MemoryBudgetError: it takes more than the server's memory.
        ClientLeftError: the client closed the connection.
    """
    raw = await read_raw(service, request)

    def work(stop: Stop) -> Parsed:
        with ExitStack() as held:
            held.enter_context(parsing(service, parsing_bytes(raw), stop))
            return Parsed(parse_object(raw.content()), held.pop_all())

    try:
        return await service.run(request, work, raw.received)
    finally:
        raw.close()


async def read_json_photo(
    service: Service, request: Request, find: Callable[[dict[str, Any]], bytes]
) -> Body:
    """Read the photo in an object of JSON.

    Args:
        service: whose memory counts.
        request: with a body of JSON.
        find: returns the photo's bytes.

    Raises:
        Problem: the body is something else, too long or too slow; whatever `find` raises.
        MemoryBudgetError: it takes more than the server's memory.
        ClientLeftError: the client closed the connection.
    """
    raw = await read_raw(service, request)

    def work(stop: Stop) -> Body:
        with parsing(service, parsing_bytes(raw), stop):
            body = Body(service.bodies)
            try:
                body.append(find(parse_object(raw.content())))
                check_stop(stop)
            except BaseException:
                body.close()
                raise
        body.received = raw.received
        return body

    try:
        return await service.run(request, work, raw.received)
    finally:
        raw.close()


@contextmanager
def parsing(service: Service, count: int, stop: Stop) -> Iterator[None]:
    """Wait until parsing a body fits the memory for bodies of its size, and hold what it takes.

    A large body may hold it for long, such as a request of Label Studio with many photos in it.
    Small bodies have memory of their own, so they wait for small ones only. Who holds either may
    wait for the memory of a photo; who holds that must not wait here. One large body is always
    parsed, if need be with memory of the photos.

    Args:
        service: whose memory counts.
        count: bytes.
        stop: whether to stop waiting.

    Raises:
        MemoryBudgetError: it takes more than the server's memory.
        StoppedError: `stop` returned True meanwhile.
    """
    limits = service.limits
    if count > limits.memory:
        raise MemoryBudgetError(
            f"the body takes up to {format_bytes_up(count)} to be parsed; the memory given is "
            f"{format_bytes(limits.memory)}: send less at a time, or the photo itself to /predict"
        )
    memory = InputMemory(count, 0, None)
    if count <= limits.small_parsing:
        with service.small_bodies.admit(memory, stop):
            yield
        return
    beyond = max(0, count - limits.large_memory)
    with service.bodies.admit(memory, stop), service.gate.keep(beyond):
        yield


def parsing_bytes(body: Body, end: int | None = None) -> int:
    """Return the most bytes that a body takes while it is read and parsed.

    Args:
        body: JSON, which binary data may follow.
        end: bytes of the JSON; None is all of them.
    """
    end = body.size if end is None else end

    def count(path: Path, content: bytes | None) -> int:
        with path.open("rb") if content is None else io.BytesIO(content) as file:
            parts = (file.read(min(CHUNK, end - start)) for start in range(0, end, CHUNK))
            return sum(map(json_bytes, parts))

    return body.open(count) + BINARY_BYTES * (body.size - end)


def json_bytes(content: bytes) -> int:
    """Return the most bytes that JSON, or a part of it, takes while it is read and parsed."""
    values = sum(size * content.count(sign) for sign, size in VALUE_BYTES.items())
    return TEXT_BYTES * len(content) + values


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
