"""Divide inputs among machines, without coordination."""

import hashlib
from collections.abc import Iterable

from fullconv.batch.fingerprint import id_bytes
from fullconv.batch.inputs import Input


def select_shard(inputs: Iterable[Input], shard: tuple[int, int]) -> list[Input]:
    """Return the inputs of shard i of n, counted from 0.

    Only an input's id decides, so adding inputs moves no other input to another shard.
    """
    index, count = shard
    return [item for item in inputs if _hash(item.id) % count == index]


def _hash(text: str) -> int:
    digest = hashlib.sha256(id_bytes(text)).digest()
    return int.from_bytes(digest[:8], "big")
