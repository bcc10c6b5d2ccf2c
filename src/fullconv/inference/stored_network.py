"""Build the network of a model file, and read its weights."""

from pathlib import Path

from fullconv.errors import FullconvError, WeightsError
from fullconv.inference.model_file import Card, read_tensors
from fullconv.networks.fcn import FCN, build
from fullconv.networks.fcn.uninitialized import SkipInitialization


def read_network(card: Card, file: Path) -> FCN:
    """Return the network of a model file, in evaluation mode.

    Args:
        card: the file's header.
        file: a .safetensors model file.

    Raises:
        WeightsError: the file is damaged, a weight is not a finite number, or the description is of
            no network, of another one, or of one too large for this machine.
    """
    weights = read_tensors(file)
    network = _build(card, file)
    expected = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in weights.items()} != expected:
        raise WeightsError(f"{file}: its tensors are not those of {card.architecture.name}")
    network.load_state_dict(weights, assign=True)
    for name, parameter in network.named_parameters():
        fixed = name.startswith("upscore") and not card.architecture.learn_upsampling
        parameter.requires_grad_(not fixed)
    return network.eval()


def _build(card: Card, file: Path) -> FCN:
    """Build the network that a file describes, without initial weights.

    Raises:
        WeightsError: the description is of no network, or of one too large for this machine.
    """
    try:
        with SkipInitialization():
            return build(card.architecture, card.normalization)
    except (FullconvError, ArithmeticError) as error:
        raise WeightsError(f"{file}: its description cannot be used: {error}") from error
    except (MemoryError, RuntimeError) as error:  # PyTorch's allocator raises RuntimeError
        raise WeightsError(
            f"{file}: its description is of a network that does not fit into memory "
            f"({card.architecture.name}, width {card.architecture.width:g})"
        ) from error
