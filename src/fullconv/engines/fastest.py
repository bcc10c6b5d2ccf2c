"""Which engine computes a network fastest, from what was measured on this machine."""

from collections.abc import Callable

from fullconv.engines import TITLES
from fullconv.engines.cache import Measured

FASTER = 1.1  # times as fast as PyTorch an engine has to be
# Times as long as on an idle machine that an image takes beside a program for each core: two cores,
# `python benchmarks/busy_machine.py`. OpenVINO's threads leave their core as soon as they have
# nothing to do, and those of ONNX Runtime after 0.1 ms.
BESIDE_OTHERS = {"torch": 2.3, "onnx": 2.4, "openvino": 3.1}


def fastest_engine(measured: Measured, is_busy: Callable[[], bool]) -> tuple[str, str]:
    """Return the engine to use, and why, for users.

    Args:
        measured: seconds of an image, on an idle machine.
        is_busy: returns whether other programs use the processor, which may take a moment; called
            if that decides.
    """
    seconds = measured.seconds
    name, slow = _choose(seconds), seconds["torch"]
    calm = _choose({one: BESIDE_OTHERS[one] * took for one, took in seconds.items()})
    if calm != name and is_busy():
        return calm, (
            f"{TITLES[calm]}, which the other programs of this busy machine slow down less than "
            f"{TITLES[name]} ({1e3 * seconds[calm]:.0f} and {1e3 * seconds[name]:.0f} ms without "
            "them)"
        )
    if name == "torch":
        others = {title: seconds[one] for one, title in TITLES.items() if one in seconds}
        shown = ", ".join(f"{title} {1e3 * took:.0f} ms" for title, took in others.items())
        return name, f"PyTorch is the fastest here ({shown})"
    return name, (
        f"{TITLES[name]}, {slow / seconds[name]:.1f} times as fast as PyTorch "
        f"({1e3 * seconds[name]:.0f} to {1e3 * slow:.0f} ms), equal scores"
    )


def _choose(seconds: dict[str, float]) -> str:
    """Return the engine that takes least, or PyTorch if none takes clearly less."""
    name = min(seconds, key=lambda one: seconds[one])
    return name if seconds["torch"] >= FASTER * seconds[name] else "torch"
