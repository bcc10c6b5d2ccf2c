"""A connection to a Ray cluster, and what its nodes have room for."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fullconv.errors import ConfigError

UNITS = {"CPU": "CPUs", "GPU": "GPUs", "memory": "bytes of memory"}  # Ray's names of resources


@contextmanager
def connected(ray: Any, variables: Mapping[str, str] | None = None) -> Iterator[bool]:
    """Connect to the cluster at RAY_ADDRESS, or start one on this machine until the block ends.

    Yields whether the cluster was started, and so ends with the block.

    Args:
        ray: the package.
        variables: of the environment, for the processes that are started from here.
    """
    if ray.is_initialized():
        yield False
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    address = os.environ.get("RAY_ADDRESS", "local")
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    if variables:
        options["runtime_env"] = {"env_vars": dict(variables)}
    ray.init(address, log_to_driver=False, logging_level="ERROR", **options)
    if is_main:  # Ray has replaced the SIGTERM handler
        signal.signal(signal.SIGTERM, handler)
    try:
        yield address == "local"
    finally:
        ray.shutdown()


def check_room(ray: Any, needs: Mapping[str, float], what: str, count: int = 1) -> None:
    """Refuse what Ray would wait for forever.

    Args:
        ray: the package, connected.
        needs: of one task or actor: "CPU", "GPU" and "memory" (bytes).
        what: is started, for the message, e.g. "photo".
        count: how many are needed at the same time.

    Raises:
        ConfigError: no node has what one needs, or the nodes have room for fewer.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(_room(node, needs) for node in nodes)
    if room >= count:
        return
    wanted = " and ".join(f"{needs[kind]:g} {UNITS[kind]}" for kind in needs)
    if room:
        raise ConfigError(
            f"each {what} needs {wanted}; the {len(nodes)} nodes have room for {room} of {count}; "
            f"ask for fewer, or for less for each"
        )
    largest = {kind: max((node.get(kind, 0) for node in nodes), default=0) for kind in needs}
    found = " and ".join(f"{largest[kind]:g} {UNITS[kind]}" for kind in needs)
    raise ConfigError(
        f"one {what} needs {wanted} on one node; the largest of {len(nodes)} nodes has {found}; "
        "use fewer --threads, or another --device"
    )


def _room(node: Mapping[str, float], needs: Mapping[str, float]) -> int:
    return min(int(node.get(kind, 0) / count) for kind, count in needs.items() if count)
