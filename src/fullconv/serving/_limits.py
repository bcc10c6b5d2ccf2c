"""What a server allows: sizes, times and numbers of requests, and who may send them."""

from dataclasses import dataclass
from pathlib import Path

from fullconv.io.images import MAX_PIXELS
from fullconv.serving._label_studio import LabelStudio

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Host names of this machine as a browser or curl sends them."""


@dataclass(frozen=True)
class Limits:
    """What a server takes on.

    Attributes:
        memory: bytes for all requests at a time; `large_memory`, `small_memory` and `photo_memory`
            are its parts.
        at_once: photos computed at the same time.
        threads: CPU threads per photo; the caller has set them, and they are part of an ETag.
        queue: requests that wait beside those that are computed.
        max_body: bytes of a request's body.
        max_pixels: pixels of a photo.
        seconds: for a prediction, from its photo's last byte to its response.
        body_pause: seconds without a byte of a body, or without a client's reading more of a
            response than the connection buffers.
        body_seconds: seconds for a whole body.
        header_bytes: of a request's line and headers.
        header_seconds: until a request's headers are complete.
        connections: open at a time.
    """

    memory: int
    at_once: int = 1
    threads: int = 1
    queue: int = 32
    max_body: int = 64 * 2**20
    max_pixels: int = MAX_PIXELS
    seconds: float = 60
    body_pause: float = 10
    body_seconds: float = 60
    header_bytes: int = 16 * 2**10
    header_seconds: float = 10
    connections: int = 64

    @property
    def body_memory(self) -> int:
        """Bytes for bodies that have arrived, wholly or in part, and for what is parsed of them."""
        return self.memory // 8

    @property
    def small_memory(self) -> int:
        """Bytes of `body_memory` for what is parsed of small bodies."""
        return self.body_memory // 2

    @property
    def large_memory(self) -> int:
        """Bytes of `body_memory` for bodies as they came, and for what is parsed of large ones."""
        return self.body_memory - self.small_memory

    @property
    def small_parsing(self) -> int:
        """The most bytes that parsing a small body takes: four of them fit `small_memory`."""
        return self.small_memory // 4

    @property
    def photo_memory(self) -> int:
        """Bytes for photos that are decoded, computed and encoded, and for unread responses."""
        return self.memory - self.body_memory


@dataclass(frozen=True)
class Access:
    """Who may use a server.

    Attributes:
        key: that `Authorization: Bearer KEY` must hold; None asks for none.
        hosts: allowed in the header Host, without port.
        origins: other origins whose pages may send requests, e.g. "https://labels.example".
        open_metrics: whether /metrics needs no key.
    """

    key: str | None = None
    hosts: frozenset[str] = LOOPBACK
    origins: frozenset[str] = frozenset()
    open_metrics: bool = False


@dataclass(frozen=True)
class Settings:
    """Optional parts of a server.

    Attributes:
        page: whether it has a web page.
        corrections: the folder that corrected masks are saved in; None for none.
        watch: seconds between looks at run folders for better checkpoints; None for none.
        label_studio: whose photos may be fetched; None fetches none.
    """

    page: bool = True
    corrections: Path | None = None
    watch: float | None = None
    label_studio: LabelStudio | None = None
