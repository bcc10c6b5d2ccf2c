"""What a cluster has room for."""

from types import SimpleNamespace

import pytest

from fullconv.batch.ray_cluster import check_room
from fullconv.errors import ConfigError

# The second node is lost.
NODES = [
    {"Alive": True, "Resources": {"CPU": 2.0, "memory": 900.0}},
    {"Alive": False, "Resources": {"CPU": 9.0, "memory": 900.0}},
]
CLUSTER = SimpleNamespace(nodes=lambda: NODES)


def test_what_fits_on_no_node_is_refused():
    check_room(CLUSTER, {"CPU": 2, "GPU": 0.0}, "photo")
    with pytest.raises(ConfigError, match=r"photo needs 3 CPUs and 0 GPUs on one node; .* has 2"):
        check_room(CLUSTER, {"CPU": 3, "GPU": 0.0}, "photo")
    with pytest.raises(ConfigError, match="1 GPUs"):
        check_room(CLUSTER, {"CPU": 1, "GPU": 1.0}, "photo")


def test_replicas_without_room_are_refused():
    check_room(CLUSTER, {"CPU": 1, "memory": 400}, "replica", 2)
    with pytest.raises(ConfigError, match=r"1 CPUs and 400 bytes of memory; .* room for 2 of 3"):
        check_room(CLUSTER, {"CPU": 1, "memory": 400}, "replica", 3)
    with pytest.raises(ConfigError, match="room for 1 of 2"):
        check_room(CLUSTER, {"CPU": 1, "memory": 500}, "replica", 2)
