"""Give the arrays of an EfficientNet the names that timm uses.

The other common names are those of EfficientNet-PyTorch (`_blocks.5._depthwise_conv.weight`), which
numbers the blocks through; timm numbers them within stages (`blocks.2.1.conv_dw.weight`).
"""

import re
from collections.abc import Mapping

_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
# Layers of a block in the order in which they run; a first block has no expansion.
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")


def timm_names(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return timm's names for the keys of EfficientNet-PyTorch; empty for any other network.

    Args:
        shapes: shape of each array by its key.
    """
    if "_conv_stem.weight" not in shapes:
        return {}
    stages = _stages(shapes)
    names = {}
    for key in shapes:
        layer, _, kind = key.rpartition(".")
        block = _BLOCK.fullmatch(key)
        if layer in _OUTSIDE:
            names[key] = f"{_OUTSIDE[layer]}.{kind}"
        elif block and int(block[1]) in stages:
            stage, place = stages[int(block[1])]
            expanded = f"_blocks.{block[1]}._expand_conv.weight" in shapes
            layers = _EXPANDED if expanded else _PLAIN
            if block[2] in layers:
                names[key] = f"blocks.{stage}.{place}.{layers[block[2]]}.{block[3]}"
    return names


def _stages(shapes: Mapping[str, tuple[int, ...]]) -> dict[int, tuple[int, int]]:
    """Return stage and number within the stage of each block: a new width begins a stage."""
    stages: dict[int, tuple[int, int]] = {}
    stage, place, width = -1, 0, 0
    number = 0
    while shape := shapes.get(f"_blocks.{number}._project_conv.weight"):
        if shape[0] != width:
            stage, place, width = stage + 1, 0, shape[0]
        stages[number] = (stage, place)
        place += 1
        number += 1
    return stages
