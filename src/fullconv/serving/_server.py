"""Run the application with uvicorn: on a port or a socket, until a signal, and then drain."""

import asyncio
import contextlib
import os
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from fullconv.errors import ConfigError, OutputError
from fullconv.serving._protocol import protocol_class
from fullconv.serving._service import Service

LINGER = 2  # seconds for connections to close after the last response


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to a host and a port; port 0 is any free one.

    Raises:
        OutputError: the port is in use, or the host has no such address.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host has such a form
        reason = error.strerror if isinstance(error, OSError) else "it is not the name of a host"
        raise OutputError(
            f"cannot serve at {host} port {port} ({reason}); choose another --port or --host"
        ) from error
    return bound


def bind_path(path: Path) -> socket.socket:
    """Return a Unix socket at a path; a socket that an earlier server left there is replaced.

    Raises:
        ConfigError: another file is at the path.
        OutputError: a server listens there, or it cannot be created.
    """
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise ConfigError(f"--uds {path} is a file; expected the path of a new socket")
    if is_served(path):
        raise OutputError(
            f"--uds {path}: another server listens there; end it, or choose another path"
        )
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        bound.bind(str(path))
        os.chmod(path, 0o660)
    except OSError as error:
        bound.close()
        raise OutputError(f"--uds {path}: cannot be created ({error.strerror})") from error
    return bound


def is_served(path: Path) -> bool:
    """Return whether a process listens at a Unix socket, or may do so without letting us in."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1)
        try:
            asking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (TimeoutError, BlockingIOError, PermissionError):
            return True
        except OSError:
            return False  # `bind` says what is wrong with the path
    return True


def unlink_socket(path: Path, made: os.stat_result) -> None:
    """Remove a Unix socket, unless another server has replaced it.

    Args:
        path: of the socket.
        made: its state after it was made.
    """
    with contextlib.suppress(OSError):
        if os.path.samestat(made, path.stat()):
            path.unlink()


def serve(
    application: ASGIApp,
    service: Service,
    bound: socket.socket,
    *,
    grace: float = 30,
    root_path: str = "",
    signals: Sequence[object] = (),
) -> None:
    """Serve until `signals` holds something and the work in progress has ended.

    Args:
        application: of the service.
        service: whose work is counted.
        bound: from `bind` or `bind_path`.
        grace: seconds for the work in progress.
        root_path: where a proxy has the server, e.g. "/segment".
        signals: grows from outside; a second entry ends the server at once.
    """
    config = uvicorn.Config(
        application,
        http=protocol_class(service.limits),
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        root_path=root_path,
        timeout_graceful_shutdown=LINGER,
        h11_max_incomplete_event_size=service.limits.header_bytes,
    )
    server = Server(config, service, grace, signals)
    asyncio.run(server.serve(sockets=[bound]))


class Server(uvicorn.Server):
    """A server that, asked to end, finishes its work, and refuses more with a response.

    Args:
        config: of uvicorn.
        service: whose work is counted.
        grace: seconds for the work in progress.
        signals: asks it to end as soon as it holds something.
    """

    def __init__(
        self, config: uvicorn.Config, service: Service, grace: float, signals: Sequence[object]
    ) -> None:
        super().__init__(config)
        self.service, self.grace, self.signals = service, grace, signals
        self._deadline = 0.0

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; called ten times a second."""
        if len(self.signals) > 1:
            self.config.timeout_graceful_shutdown = 0
            return True
        if self.signals and not self.service.draining:
            self.service.draining = True
            self._deadline = time.monotonic() + self.grace
        if self.service.draining:
            idle = not self.service.open_requests
            return idle or time.monotonic() > self._deadline
        return await super().on_tick(counter)
