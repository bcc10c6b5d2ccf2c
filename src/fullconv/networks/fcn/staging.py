"""Initialize a finer FCN from a coarser one, for staged training (paper, section 4.2)."""

import torch
from torch import nn

from fullconv.config import Fusing
from fullconv.errors import ConfigError, UnknownNameError, check_type
from fullconv.networks.fcn import FCN, STRIDES, build, parse_name
from fullconv.networks.transplant import Transplant, transplant


def grow(coarser: FCN, fusing: Fusing | None = None, scale: float = 1.0) -> FCN:
    """Build the next finer network, initialized from `coarser`: FCN-16s from FCN-32s, 8s from 16s.

    Args:
        coarser: built by name; it is left as it is, and shares no weights with the new one.
        fusing: how the finer network adds its skips, if the coarser one has none yet. The default
            is "sum", which starts with exactly the coarser network's scores; the paper's "cascade"
            only approximates them (see `stage`).
        scale: factor of the new skip's features.

    Raises:
        ConfigError: the network was not built by name, adds its skips in another way, or is
            not a network; or `fusing` is unknown.
        UnknownNameError: there is no finer network.
    """
    check_type("coarser", coarser, FCN, "a network; of a model it is model.network")
    before = coarser.architecture
    if before is None:
        raise ConfigError("only a network built by create_model can grow; use `stage` for others")
    stride, backbone = parse_name(before.name)
    if f"{stride // 2}" not in STRIDES:
        name = f"fcn{stride // 2}s-{backbone}"
        raise UnknownNameError("network", name, expected=f"FCN-{stride}s at the finest")
    scales = (*(coarser.skip_scales.get(skip, 1.0) for skip in coarser.skips), scale)
    changes = {
        "name": f"fcn{stride // 2}s-{backbone}",
        "fusing": fusing or _usual(coarser),
        "skip_scales": scales if any(factor != 1 for factor in scales) else None,
    }
    finer = build(before.checked(**dict(before) | changes), coarser.normalization)
    stage(finer, coarser)
    return finer.to(coarser.score_fr.weight.device).train(coarser.training)


def _usual(coarser: FCN) -> Fusing:
    return coarser.fusing if coarser.skips or coarser.upsampling == "unpooling" else "sum"


@torch.no_grad()
def stage(finer: FCN, coarser: FCN) -> Transplant:
    """Copy a coarser network's weights into a finer one (paper, section 4.2).

    All layers that both have are copied by name. The new skips' score layers become zero, "so that
    the net starts with unmodified predictions". How exact that is depends on `fusing`:

    - "sum", and unpooling: exact to the bit, also at the borders and with learned upsampling. The
      finer network has all of the coarser one's layers, and the new skips add zeros.
    - "cascade", the paper's: the coarse scores (`score_fr`, and the fused ones that both have) are
      equal, but the scores at the pixels are not, because they are upsampled in two steps.
      Bilinear interpolation by 2 and then by 16 differs from that by 32: the first step has no
      pixel at the old pixels' centres, and the second interpolates across them. A single score of
      1 among zeros has a maximum of 0.97 after 32, and of 0.56 after 2 and 16. Where scores are
      linear both agree, except at the borders; for random scores the largest difference is about
      a third of the largest score. Other kernels do not help: the only ones that compose to the
      interpolation by 32 at these positions repeat pixels in the first step and smooth over 48
      pixels in the second (16s), and would smooth the new skip's scores too.

    Args:
        finer: changed in place, with its normalization.
        coarser: of the same backbone; its skips are the first ones of `finer`.

    Returns:
        what was copied; "missing" are the new layers, "left over" those that `finer` lacks.

    Raises:
        ConfigError: the two networks do not fit together.
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
            f"a network with {finer.classes} classes and skips {_listed(finer.skips)} cannot start "
            f"from one with {coarser.classes} classes and skips {_listed(coarser.skips)}; expected "
            "the same number of classes, and the same skips and more"
        )
    if finer.upsampling != coarser.upsampling:
        raise ConfigError(
            f'a network with upsampling "{finer.upsampling}" cannot start from one with '
            f'"{coarser.upsampling}"; build both with the same upsampling'
        )
    if coarser.skips and finer.fusing != coarser.fusing:
        raise ConfigError(
            f'a network with fusing "{finer.fusing}" cannot start from one with '
            f'"{coarser.fusing}"; build both with the same fusing'
        )
    for skip in coarser.skips:
        ours, theirs = (net.skip_scales.get(skip, 1.0) for net in (finer, coarser))
        if ours != theirs:
            raise ConfigError(
                f"{skip} has factor {ours:g} in the finer network and {theirs:g} in the coarser one"
            )
    if _shapes(finer.backbone) != _shapes(coarser.backbone):
        raise ConfigError("the two networks' backbones differ; build both with the same settings")


def _shapes(backbone: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in backbone.state_dict().items()}


def _listed(skips: tuple[str, ...]) -> str:
    return ", ".join(skips) or "none"
