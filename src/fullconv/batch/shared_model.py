"""The model of a job: opened once per process, and used by all of its threads."""

from functools import lru_cache

from fullconv.errors import ConfigError
from fullconv.model import Model, load
from fullconv.networks.tracing.copies import copy_modules
from fullconv.weights.fingerprint import file_fingerprint


@lru_cache(maxsize=1)
def open_model(path: str, fingerprint: str, device: str, head: str = "") -> Model:
    """Load the model at `path` once per process.

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


def unoptimized(model: Model) -> Model:
    """Return the model around the same weights, computed by PyTorch's own layers."""
    if model.exported:
        return model
    network = copy_modules(model.network)
    network.optimized_backbone, network.engine = None, None
    return model.with_network(network)
