"""Judge how well a file fits a network: what is probably not meant."""

from collections.abc import Mapping, Sequence

import numpy as np

from fullconv.networks.transplant import bare
from fullconv.units import count
from fullconv.weights.sources import format_names

Shapes = Mapping[str, tuple[int, ...]]

# Layers that depend on the classes or on the stride, so that another file lacks them.
_OWN_LAYERS = ("score", "upscore", "scale", "context", "pyramid", "mirror", "fc8")


def convolutions(shapes: Shapes) -> list[str]:
    """Return the names of the backbone's convolutions."""
    return [name for name, shape in shapes.items() if len(shape) == 4 and not _is_own(name)]


def fit_warnings(
    own: Shapes,
    arrays: Mapping[str, np.ndarray],
    missing: Sequence[str],
    left_over: Sequence[str],
) -> tuple[str, ...]:
    """Return a sentence for each sign that the file belongs to another network.

    Args:
        own: shapes of the network's arrays.
        arrays: of the file.
        missing: the network's arrays that the file lacks.
        left_over: the file's arrays that the network lacks.
    """
    warnings = []
    lacking = [name for name in convolutions(own) if name in set(missing)]
    if lacking:
        total = len(convolutions(own))
        warnings.append(
            f"only {total - len(lacking)} of the backbone's {count(total, 'convolution')} are in "
            f"the file; these start at random: {_listed(lacking)}"
        )
    foreign = convolutions({name: arrays[name].shape for name in left_over})
    foreign = [name for name in foreign if bare(name) not in own]
    if foreign:
        warnings.append(
            f"{count(len(foreign), 'convolution')} of the file "
            f"{'has' if len(foreign) == 1 else 'have'} no place in this network: "
            f"{_listed(foreign)}; is it another backbone, or another head?"
        )
    norms = {name.rpartition(".")[0] for name in arrays if name.endswith("running_var")}
    ours = {name.rpartition(".")[0] for name in own if name.endswith("running_var")}
    without = [name for name in missing if name.rpartition(".")[0] in ours and not _is_own(name)]
    if without:
        partly = [n for n in without if any(bare(a).startswith(_stem(n)) for a in arrays)]
        what = "parts of batch norms" if partly else "batch norms"
        warnings.append(f"the file lacks {what}, which start anew: {_listed(partly or without)}")
    lost = sorted({bare(name) for name in norms} - ours)
    if lost and any(name in arrays for name in convolutions(own)):
        warnings.append(
            f"the file's batch norms have no place in this network, so its features differ: "
            f"{', '.join(lost[:4])}{', ...' * (len(lost) > 4)}; choose a backbone with batch norms"
        )
    return tuple(warnings)


def _is_own(name: str) -> bool:
    return bare(name).startswith(_OWN_LAYERS)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] + "."


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return format_names(names[:4]) + rest


def other_shapes(
    own: Shapes,
    arrays: Mapping[str, np.ndarray],
    left_over: Sequence[str],
) -> list[str]:
    """Return a note about arrays whose names fit but whose shapes do not."""
    names = [name for name in left_over if own.get(bare(name), ()) != arrays[name].shape]
    pairs = [
        f"{name} {arrays[name].shape} in the file, {own[bare(name)]} here"
        for name in names
        if bare(name) in own
    ]
    rest = [f"and {len(pairs) - 3} more"] if len(pairs) > 3 else []
    return [f"other shapes: {'; '.join([*pairs[:3], *rest])}"] if pairs else []


def both_sides(own: Shapes, arrays: Mapping[str, np.ndarray]) -> str:
    """Return what the file holds and what the network expects, of the same layers if possible."""

    def first_three(shapes: Shapes) -> str:
        return ", ".join(f"{name} {shapes[name]}" for name in list(shapes)[:3])

    in_file = {name: array.shape for name, array in arrays.items() if array.ndim > 1}
    common = {name: shape for name, shape in in_file.items() if bare(name) in convolutions(own)}
    if common:
        expected = {name: own[bare(name)] for name in list(common)[:3]}
        width = _other_width(common, own)
        return f"it holds {first_three(common)}; the network has {first_three(expected)}{width}"
    held = first_three(in_file) or ", ".join(list(arrays)[:3])
    return f"it holds {held}, ...; the network expects {first_three(own)}, ..."


def _other_width(common: Shapes, own: Shapes) -> str:
    """Return a hint if all convolutions are wider or narrower by the same factor."""
    factors = {shape[0] / own[bare(name)][0] for name, shape in common.items() if "fc" not in name}
    if len(factors) != 1:
        return ""
    return f"; its width is {factors.pop():g} times that of the network, see --width"
