"""Fetch photos of tasks from the one Label Studio that the server was started for."""

import http.client
import json
import re
import ssl
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from fullconv.errors import ConfigError, printable
from fullconv.inference.stopping import Stop, check_stop, never
from fullconv.serving._problems import Problem
from fullconv.units import format_bytes

CHUNK = 2**18
SECONDS = 10  # without a response
FILES = "/data/"  # where Label Studio serves uploaded photos and those of local folders
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,")
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
_KEY = re.compile(r"[!-~]+")  # what an HTTP header may hold
MAX_TOKEN_BYTES = 16 * 2**10


@dataclass(frozen=True)
class LabelStudio:
    """A Label Studio whose photos the server may fetch.

    Attributes:
        url: its address, e.g. "http://127.0.0.1:8080"; it may have a path.
        key: an access token of one of its users; None for none.
    """

    url: str
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = self.parts
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigError(
                f"--label-studio {printable(self.url[:100])}: expected its address, e.g. "
                "http://127.0.0.1:8080"
            )
        if parts.query or parts.fragment:
            raise ConfigError(
                f"--label-studio {printable(self.url[:100])}: a query is not expected"
            )
        if self.key is not None and not _KEY.fullmatch(self.key):
            raise ConfigError(
                "the access token of Label Studio holds a blank or a character that no token has; "
                "copy it again, from its page Account & Settings"
            )

    @property
    def parts(self) -> SplitResult:
        """The parts of its address.

        Raises:
            ConfigError: it is no URL.
        """
        try:
            parts = urlsplit(self.url.rstrip("/"))
            _ = parts.port
        except ValueError as error:
            raise ConfigError(f"--label-studio {printable(self.url[:100])}: {error}") from error
        return parts

    def path_of(self, url: str) -> str:
        """Return the path of a photo of this Label Studio, with its query.

        Args:
            url: in a task: absolute, or a path that begins with a slash.

        Raises:
            Problem: it is elsewhere, or no photo.
        """
        base, shown = self.parts, printable(url[:100])
        try:
            parts = urlsplit(url)
            origin = (parts.scheme.lower(), parts.hostname, parts.port or _port(parts.scheme))
        except ValueError as error:
            raise Problem(400, f"the photo's URL {shown!r} cannot be read") from error
        own = (base.scheme, base.hostname, base.port or _port(base.scheme))
        is_path = not parts.scheme and not parts.netloc and url.startswith("/")
        if not is_path and (origin != own or parts.username is not None):
            raise Problem(
                422,
                f"the photo {shown!r} is not in the Label Studio at {self.url}, and nothing else "
                "is fetched",
            )
        path = parts.path
        if not path.startswith(f"{base.path}{FILES}") and is_path:
            path = base.path + path  # a task may leave the path of the address out
        steps = unquote(path).split("/")
        if not path.startswith(f"{base.path}{FILES}") or ".." in steps or "." in steps:
            raise Problem(
                422, f"the photo {shown!r} is not below {FILES}, where Label Studio serves files"
            )
        safe = quote(path, safe="/%:@!$&'()*+,;=~")
        query = quote(parts.query, safe="/%?:@!$&'()*+,;=~")
        return f"{safe}?{query}" if query else safe

    def fetch(self, url: str, most: int, seconds: float, stop: Stop) -> Iterator[bytes]:
        """Yield the bytes of a photo in pieces.

        Args:
            url: in a task.
            most: bytes that it may have.
            seconds: that it may take.
            stop: asked before each part.

        Raises:
            Problem: it is elsewhere, cannot be fetched, or is too large.
        """
        path = self.path_of(url)
        headers = {"Accept": "*/*", "User-Agent": "fullconv", **self._authorization()}
        with self._response("GET", path, headers) as response:
            if response.status != 200:
                raise Problem(502, f"Label Studio {_meaning(response.status)}, for {path[:200]}")
            yield from _read(response, most, seconds, stop)

    def _authorization(self) -> dict[str, str]:
        """Return the header with the key; a personal token is exchanged for a short-lived one."""
        if self.key is None:
            return {}
        if not _JWT.fullmatch(self.key):
            return {"Authorization": f"Token {self.key}"}
        body = json.dumps({"refresh": self.key}).encode()
        path = f"{self.parts.path}/api/token/refresh"
        headers = {"Content-Type": "application/json", "User-Agent": "fullconv"}
        with self._response("POST", path, headers, body) as response:
            if response.status != 200:
                raise Problem(
                    502, f"Label Studio {_meaning(response.status)}, for the access token"
                )
            content = b"".join(_read(response, MAX_TOKEN_BYTES, SECONDS, never))
        try:
            access = json.loads(content)["access"]
        except (ValueError, TypeError, KeyError) as error:
            raise Problem(502, "Label Studio returned no access token") from error
        if not isinstance(access, str) or not _JWT.fullmatch(access):
            raise Problem(502, "Label Studio returned no access token")
        return {"Authorization": f"Bearer {access}"}

    @contextmanager
    def _response(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request, without following redirects."""
        parts = self.parts
        assert parts.hostname is not None
        made: Any = http.client.HTTPConnection
        options: dict[str, Any] = {"timeout": SECONDS}
        if parts.scheme == "https":
            made, options["context"] = http.client.HTTPSConnection, ssl.create_default_context()
        with closing(made(parts.hostname, parts.port, **options)) as connection:
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise Problem(
                    502, f"the Label Studio at {self.url} cannot be reached ({error})"
                ) from error
            with closing(response):
                yield response


def embedded_photo(url: str) -> bytes | None:
    """Return the bytes of a data: URL; None for other URLs.

    Raises:
        Problem: it is not base64.
    """
    found = _DATA_URL.match(url)
    if not found:
        return None
    try:
        return b64decode(url[found.end() :], validate=True)
    except ValueError as error:
        raise Problem(400, "a data: URL whose base64 cannot be read") from error


def _read(
    response: http.client.HTTPResponse, most: int, seconds: float, stop: Stop
) -> Iterator[bytes]:
    """Yield a body within limits of size and time."""
    deadline, size = time.monotonic() + seconds, 0
    try:
        while piece := response.read1(CHUNK):
            check_stop(stop)
            size += len(piece)
            if size > most:
                raise Problem(
                    422, f"the photo is longer than {format_bytes(most)}, the limit of this server"
                )
            if time.monotonic() > deadline:
                raise Problem(
                    504, f"Label Studio did not send the photo within {seconds:g} seconds"
                )
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise Problem(502, f"Label Studio stopped sending the photo ({error})") from error


def _meaning(status: int) -> str:
    if 300 <= status < 400:
        return f"redirected the request ({status}), which is not followed"
    if status in (401, 403):
        return f"refused the request ({status}); set LABEL_STUDIO_API_KEY to an access token"
    return f"responded with the status {status}"


def _port(scheme: str) -> int:
    return 443 if scheme.lower() == "https" else 80
