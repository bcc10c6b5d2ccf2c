"""Staged training's surgery: FCN-16s begins as FCN-32s, FCN-8s as FCN-16s (paper, section 4.2)."""

import torch
from torch import nn

from fullconv.config import Fusing
from fullconv.errors import ConfigError
from fullconv.networks.fcn import FCN, build, parse_name
from fullconv.networks.transplant import Transplant, transplant


def grow(coarser: FCN, fusing: Fusing | None = None, scale: float = 1.0) -> FCN:
    """The next finer network, which begins as `coarser`: FCN-16s from FCN-32s, 8s from 16s.

    Args:
        coarser: built by name; it is left as it is, and shares nothing with the new one.
        fusing: how the finer network adds its skips, where the coarser one has none yet. None
            stands for "sum", which begins with exactly the coarser network's scores; "cascade",
            the paper's, only comes near them (see `stage`).
        scale: factor of the new skip's features.

    Raises:
        ConfigError: the network was not built by name, or `fusing` is not how it adds its skips.
        UnknownNameError: there is no finer network.
    """
    before = coarser.architecture
    if before is None:
        raise ConfigError("only a network that create_model built can grow; use `stage`")
    stride, backbone = parse_name(before.name)
    scales = (*(coarser.skip_scales.get(skip, 1.0) for skip in coarser.skips), scale)
    changes = {
        "name": f"fcn{stride // 2}s-{backbone}",
        "fusing": fusing or _usual(coarser),
        "skip_scales": scales if any(one != 1 for one in scales) else None,
    }
    finer = build(before.model_copy(update=changes), coarser.normalization)
    stage(finer, coarser)
    return finer.to(coarser.score_fr.weight.device).train(coarser.training)


def _usual(coarser: FCN) -> Fusing:
    return coarser.fusing if coarser.skips or coarser.upsampling == "unpooling" else "sum"


@torch.no_grad()
def stage(finer: FCN, coarser: FCN) -> Transplant:
    """Begin a finer network's training where a coarser one's has ended (paper, section 4.2).

    All layers that both have are copied by name; the new skips' score layers are zero, "so that
    the net starts with unmodified predictions". How far that holds depends on `fusing`:

    - "sum", and un-pooling: exactly. The coarser network's layers are all there, and the new
      skips add zeros. Bit for bit, also at the borders, and with learned upsampling.
    - "cascade", the paper's: the coarse scores (`score_fr`, and the fused ones that both have) are
      exactly equal, but those at the pixels are not, for another reason than the skips: the
      enlarging is done in two steps. Bilinear interpolation by 2 and then by 16 is not the one by
      32, since the first step gives no pixel on the old pixels' centres, and the second cuts
      straight across them. A single score of 1 among zeros comes out as 0.97 at most by 32, and
      as 0.56 by 2 and 16. Where scores are linear from pixel to pixel both are equal, inside;
      for scores of pure noise the largest difference is about a third of the largest score.
      No kernels mend it without harm: the only ones whose composition is exactly the
      interpolation by 32, at these places, repeat pixels in the first step and smooth over 48
      pixels in the second (16s), and so would smooth the new skip's scores too.

    Args:
        finer: changed in place, its normalization and skip factors included.
        coarser: of the same backbone, whose skips are the first ones of `finer`.

    Returns:
        What was copied; "missing" are the new layers, "left over" those that have no place.

    Raises:
        ConfigError: the two networks do not belong to one staged training.
    """
    _check(finer, coarser)
    done = transplant(finer, coarser.state_dict())
    for skip in finer.skips[len(coarser.skips) :]:
        for parameter in finer.get_submodule(f"score_{skip}").parameters():
            nn.init.zeros_(parameter)
    finer.normalization = coarser.normalization
    return done


def _check(finer: FCN, coarser: FCN) -> None:
    if finer.skips[: len(coarser.skips)] != coarser.skips or finer.classes != coarser.classes:
        raise ConfigError(
            f"a network of {finer.classes} classes and the skips {_listed(finer.skips)} cannot "
            f"begin as one of {coarser.classes} classes and the skips {_listed(coarser.skips)}; "
            "expected as many classes, and the same skips and more"
        )
    if finer.upsampling != coarser.upsampling:
        raise ConfigError(
            f'a network with the upsampling "{finer.upsampling}" cannot begin as one with '
            f'"{coarser.upsampling}"; build both alike'
        )
    if coarser.skips and finer.fusing != coarser.fusing:
        raise ConfigError(
            f'a network that fuses by "{finer.fusing}" cannot begin as one that fuses by '
            f'"{coarser.fusing}"; build both alike'
        )
    for skip in coarser.skips:
        ours, theirs = (net.skip_scales.get(skip, 1.0) for net in (finer, coarser))
        if ours != theirs:
            raise ConfigError(f"{skip} is multiplied by {ours:g} here, by {theirs:g} before")
    if _shapes(finer.backbone) != _shapes(coarser.backbone):
        raise ConfigError("the two networks' backbones differ; build both with the same settings")


def _shapes(backbone: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in backbone.state_dict().items()}


def _listed(skips: tuple[str, ...]) -> str:
    return ", ".join(skips) or "none"
