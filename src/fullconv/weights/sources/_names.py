"""Give the arrays of a file the paper's names: without wrappers, and without others' numbers."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fullconv.networks.vgg_names import head_names, paper_names
from fullconv.weights._nesting import EMA
from fullconv.weights.sources._efficientnet import timm_names

# Parts that training programs put before all names of a network.
_WRAPPERS = {
    *("module", "_orig_mod", "model", "net", "network", "_forward_module", "student", "teacher"),
    *("base_model", "timm_model", "wrapped", "segmentor"),
}
# First convolutions of a VGG; what stands before one of them is a wrapper, whatever its name.
_FIRST = re.compile(r"(.*?)(conv1_1|features\.0|layer1\.0\.conv|block1_conv1)\.weight")
_KERAS = re.compile(r"block(\d)_conv(\d)\.")
# Hugging Face's names of a ResNet -> torchvision's.
_HUGGING_FACE = (
    (r"(resnet\.)?embedder\.embedder\.convolution\.", "conv1."),
    (r"(resnet\.)?embedder\.embedder\.normalization\.", "bn1."),
    (r"(resnet\.)?encoder\.stages\.(\d+)\.layers\.(\d+)\.shortcut\.convolution\.", "downsample.0."),
    (
        r"(resnet\.)?encoder\.stages\.(\d+)\.layers\.(\d+)\.shortcut\.normalization\.",
        "downsample.1.",
    ),
    (r"(resnet\.)?encoder\.stages\.(\d+)\.layers\.(\d+)\.layer\.(\d)\.convolution\.", "conv"),
    (r"(resnet\.)?encoder\.stages\.(\d+)\.layers\.(\d+)\.layer\.(\d)\.normalization\.", "bn"),
    (r"classifier\.1\.", "fc."),
)


@dataclass(frozen=True)
class NamedArrays:
    """Arrays in the paper's names, whether any was renamed, and sentences about it."""

    arrays: dict[str, np.ndarray]
    renamed: bool
    notes: tuple[str, ...]


def paper_arrays(arrays: Mapping[str, np.ndarray]) -> NamedArrays:
    """Return arrays in the paper's names if they are a VGG, else in torchvision's names.

    Wrappers (`module.`, `model.`) are removed; of a network and its average, the average is used.
    Fully connected layers are placed by their order and shapes.

    Raises:
        ValueError: two arrays would get the same name.
    """
    notes: list[str] = []
    arrays = _without_wrappers(dict(arrays), notes)
    arrays = _rename(arrays, _known_names(arrays))
    arrays = _without_prefix(arrays, notes)
    names = paper_names({name: array.shape for name, array in arrays.items()})
    arrays = _rename(arrays, names)
    return NamedArrays(_place_head(arrays, notes), bool(names), tuple(notes))


def _rename(arrays: Mapping[str, np.ndarray], names: Mapping[str, str]) -> dict[str, np.ndarray]:
    counts = Counter(names.get(name, name) for name in arrays)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"two arrays are {twice[0][:100]}")
    return {names.get(name, name): array for name, array in arrays.items()}


def _without_wrappers(arrays: dict[str, np.ndarray], notes: list[str]) -> dict[str, np.ndarray]:
    """Remove the parts before all names of a network; its average is preferred."""
    while True:
        heads: dict[str, list[str]] = {}
        for name in arrays:
            head, dot, _ = name.partition(".")
            heads.setdefault(head if dot else "", []).append(name)
        wrappers = [head for head in heads if head in _WRAPPERS or EMA.fullmatch(head)]
        others = [name for head in heads if head not in wrappers for name in heads[head]]
        averages = [head for head in wrappers if EMA.fullmatch(head)]
        if not wrappers or any(arrays[name].ndim > 2 for name in others):
            return arrays
        if len(wrappers) > 1 and not averages:
            return arrays
        chosen = (averages or wrappers)[0]
        inner = {name.removeprefix(f"{chosen}."): arrays[name] for name in heads[chosen]}
        if len(wrappers) > 1:
            rest = next(head for head in wrappers if head != chosen)
            notes.append(
                f"the averaged weights (EMA) in {chosen!r} are used, not those in {rest!r}"
            )
            # Some averages are of the trained weights only, without the statistics of batch norms.
            plain = {name.removeprefix(f"{rest}."): arrays[name] for name in heads[rest]}
            inner = {**plain, **inner} if inner.keys() <= plain.keys() else inner
        arrays = {**{name: arrays[name] for name in others}, **inner}


def _known_names(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return the new names of Hugging Face's ResNets, Keras' VGGs and other EfficientNets."""
    if any("embedder.embedder.convolution" in name for name in arrays):
        return {name: _torchvision_name(name) for name in arrays}
    if efficientnet := timm_names({name: array.shape for name, array in arrays.items()}):
        return efficientnet
    return {
        name: _KERAS.sub(r"conv\1_\2.", name) for name in arrays if name.startswith("block1_conv")
    } | {name: _KERAS.sub(r"conv\1_\2.", name) for name in arrays if _KERAS.match(name)}


def _torchvision_name(name: str) -> str:
    for pattern, ours in _HUGGING_FACE:
        match = re.match(pattern, name)
        if not match:
            continue
        kind = name[match.end() :]
        groups = match.groups()
        if len(groups) < 3:
            return f"{ours}{kind}"
        block = f"layer{int(groups[1]) + 1}.{groups[2]}."
        layer = f"{ours}{int(groups[3]) + 1}." if len(groups) > 3 else ours
        return f"{block}{layer}{kind}"
    return name


def _without_prefix(arrays: dict[str, np.ndarray], notes: list[str]) -> dict[str, np.ndarray]:
    """Remove what stands before the first convolution of a VGG, e.g. "encoder."."""
    if all(re.match(r"\d+\.\w+$", name) for name in arrays):  # VGG's features alone
        return {f"features.{name}": array for name, array in arrays.items()}
    prefixes = [match[1] for name in arrays if (match := _FIRST.fullmatch(name))]
    if not all(prefixes) or not prefixes:
        return arrays
    averages = [prefix for prefix in prefixes if EMA.search(prefix)]
    chosen = (averages or prefixes)[0]
    if len(prefixes) > 1:
        notes.append(f"of {len(prefixes)} networks in the file, {chosen.rstrip('.')!r} is used")
    inner = {n.removeprefix(chosen): a for n, a in arrays.items() if n.startswith(chosen)}
    return {**{n: a for n, a in arrays.items() if not n.startswith(chosen)}, **inner}


def _place_head(arrays: dict[str, np.ndarray], notes: list[str]) -> dict[str, np.ndarray]:
    """Name the fully connected layers of a VGG fc6, fc7 and fc8, and turn transposed ones."""
    shapes = {name: array.shape for name, array in arrays.items()}
    names, transposed = head_names(shapes)
    if transposed:
        for stem in names:
            name = f"{stem}.weight"
            if arrays[name].ndim == 2:
                arrays[name] = np.ascontiguousarray(arrays[name].T)
        notes.append(f"stored as (in, out) and transposed: {', '.join(names.values())}")
    stems = {name: name.rpartition(".") for name in arrays}
    renamed = {
        name: f"{names[stem]}.{kind}"
        for name, (stem, _, kind) in stems.items()
        if names.get(stem, stem) != stem
    }
    return _rename(arrays, renamed)
