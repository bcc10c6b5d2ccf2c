"""The models of jobs: weights are read once per process, and shared by what computes them."""

from dataclasses import dataclass
from functools import lru_cache

from fullconv.engines.choose import choose_engine
from fullconv.errors import ConfigError
from fullconv.model import Model, load
from fullconv.networks.tracing.copies import copy_modules
from fullconv.weights.fingerprint import file_fingerprint


@lru_cache(maxsize=1)
def open_model(path: str, fingerprint: str, device: str, head: str = "") -> Model:
    """Load the model at `path` once per process; nothing of it is changed then.

    Args:
        path: a run folder, a .safetensors file or an exported file.
        fingerprint: the expected `file_fingerprint`.
        device: "cpu", "cuda", ...
        head: that of several that is wanted; "" for models of one.

    Raises:
        ConfigError: the file is another model than the one the job was created with.
    """
    found = file_fingerprint(path)
    if found != fingerprint:
        raise ConfigError(
            f"{path} is not the model that the job was created with (fingerprint {found}, "
            f"expected {fingerprint})"
        )
    model = load(path)
    model = model.head(head) if head else model
    model.network.to(device).eval()
    return model


@dataclass(frozen=True)
class Computation:
    """What computes the model of a job.

    Attributes:
        engine: "torch", "onnx" or "openvino".
        most_pixels: of the largest image that the engine computes at once; 0 for PyTorch.
        threads: CPU threads of one image.
        optimize: whether PyTorch's layers are optimized for many images.
    """

    engine: str = "torch"
    most_pixels: int = 0
    threads: int = 1
    optimize: bool = False


@lru_cache(maxsize=1)
def open_computed(
    path: str, fingerprint: str, device: str, head: str, computation: Computation
) -> Model:
    """Open a model like `open_model`, with what computes it, which no other job changes.

    Raises:
        ConfigError: the file is another model than the one the job was created with.
        FullconvError: the engine cannot be used on this machine.
    """
    shared = open_model(path, fingerprint, device, head)
    if shared.exported:
        return shared
    model = unoptimized(shared)
    if computation.most_pixels:
        model.choice = choose_engine(
            model.network,
            computation.engine,
            threads=computation.threads,
            most_pixels=computation.most_pixels,
        )
    elif computation.optimize:
        model.optimize("torch")
    return model


def unoptimized(model: Model) -> Model:
    """Return the model around the same weights, computed by PyTorch's own layers."""
    if model.exported:
        return model
    network = copy_modules(model.network)
    network.optimized_backbone, network.engine = None, None
    return model.with_network(network)
