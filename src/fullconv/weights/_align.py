"""Line up the arrays of a file with a network: prefixes, whole layers, and classes by name."""

import re
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch
from torch import nn

from fullconv.networks.transplant import bare
from fullconv.weights._nesting import EMA

Shapes = Mapping[str, tuple[int, ...]]
Arrays = dict[str, np.ndarray]


def shapes_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each of the network's arrays, by its name without "backbone."."""
    return {bare(name): tuple(value.shape) for name, value in network.state_dict().items()}


def without_prefix(own: Shapes, arrays: Arrays, notes: list[str]) -> Arrays:
    """Remove the prefix, such as "encoder.", without which most arrays fit the network.

    Args:
        own: shapes of the network's arrays.
        arrays: of the file.
        notes: gets a sentence about what was removed.
    """
    hits: dict[str, int] = {}
    for name, array in arrays.items():
        parts = name.split(".")
        for place in range(min(len(parts), 8)):
            if array.ndim and own.get(bare(".".join(parts[place:]))) == array.shape:
                prefix = ".".join(parts[:place])
                hits[prefix] = hits.get(prefix, 0) + 1
    # Of a network and its average in one file, the average is used.
    best = max(hits, key=lambda prefix: (hits[prefix], bool(EMA.search(prefix))), default="")
    if not best or hits[best] <= hits.get("", 0):
        return arrays
    notes.append(f"read without the prefix {best!r} of the file's names")
    inner = {n.removeprefix(f"{best}."): a for n, a in arrays.items() if n.startswith(f"{best}.")}
    return {**{n: a for n, a in arrays.items() if not n.startswith(f"{best}.")}, **inner}


def whole_layers(own: Shapes, arrays: Arrays) -> tuple[Arrays, list[str]]:
    """Return the arrays of layers that fit as a whole, and the names of the others.

    A bias without its weight, or half of a batch norm, would be worse than neither.
    """
    misfits = {
        name.rpartition(".")[0]
        for name, array in arrays.items()
        if bare(name) in own and not _fits(array.shape, own[bare(name)])
    }
    left = [name for name in arrays if name.rpartition(".")[0] in misfits]
    return {name: array for name, array in arrays.items() if name not in set(left)}, left


def _fits(shape: tuple[int, ...], own: tuple[int, ...]) -> bool:
    if shape == own:
        return True
    flat = len(shape) == 2 or len(own) == 2
    return flat and shape[:1] == own[:1] and prod(shape) == prod(own)


def map_classes(
    network: nn.Module, arrays: Arrays, theirs: Sequence[str], ours: Sequence[str]
) -> list[str]:
    """Move the scores in `arrays` from the file's classes to the network's, by name.

    Scores of classes that the file lacks stay as they are in the network. Without a common class,
    the layers of scores are removed from `arrays`.

    Args:
        network: unchanged.
        arrays: changed in place.
        theirs: the file's classes.
        ours: the network's.

    Returns:
        A sentence about what was done; none if the classes are the same.
    """
    distinct = all(len(set(map(_plain, names))) == len(names) for names in (theirs, ours))
    key = _plain if distinct else str
    if [*map(key, theirs)] == [*map(key, ours)]:
        return []
    if all(re.fullmatch(r"class \d+", name) for name in theirs) and len(theirs) == len(ours):
        return [
            "the file does not name its classes; its scores are used in the order of the data set: "
            f"{_listed(ours)}"
        ]
    places = {key(name): number for number, name in enumerate(theirs)}
    known = {mine: places[key(n)] for mine, n in enumerate(ours) if key(n) in places}
    state = {bare(name): value for name, value in network.state_dict().items()}
    mirrored = any(name.startswith("mirror.") for name in state)
    for name in [name for name in arrays if _is_score(bare(name), mirrored)]:
        target = state.get(bare(name))
        if target is None or not known or arrays[name].shape[0] != len(theirs):
            del arrays[name]
            continue
        arrays[name] = _move(arrays[name], target, known, bare(name).startswith("upscore"))
    if not known:
        return [
            f"no class of the file ({_listed(theirs)}) is one of the data set's ({_listed(ours)}); "
            "the scores start anew"
        ]
    new = [name for number, name in enumerate(ours) if number not in known]
    start = f"; without scores in the file: {_listed(new)}" if new else ""
    return [f"the scores of {_listed([ours[n] for n in known])} are taken by name{start}"]


def _is_score(name: str, mirrored: bool) -> bool:
    if mirrored:  # the other scores of an unpooling network are features
        return name.startswith("score_fr.")
    return re.match(r"(score_|upscore)", name) is not None


def _move(
    array: np.ndarray, target: torch.Tensor, known: Mapping[int, int], both: bool
) -> np.ndarray:
    """Return the network's array with the rows of known classes from the file's.

    Args:
        array: of the file; its first side is the classes.
        target: of the network.
        known: class of the network -> class of the file.
        both: whether the second side is the classes, too.
    """
    moved = target.detach().cpu().numpy().copy()
    if moved.shape[1 + both :] != array.shape[1 + both :]:
        return array  # it does not fit, which is reported
    mine, its = list(known), list(known.values())
    if both:
        moved[np.ix_(mine, mine)] = array[np.ix_(its, its)]
    else:
        moved[mine] = array[its]
    return moved


def _plain(name: str) -> str:
    """Return a class name without differences of case, blanks, underscores and hyphens."""
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _listed(names: Sequence[str]) -> str:
    rest = ", ..." if len(names) > 5 else ""
    return ", ".join(name[:40] for name in names[:5]) + rest
