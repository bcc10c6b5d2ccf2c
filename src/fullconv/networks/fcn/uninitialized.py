"""Build networks whose weights a file replaces at once."""

from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# PyTorch passes these to a function mode; functions that torch.nn.init calls inside are not passed.
_INITIALIZERS = {
    Tensor.normal_,
    Tensor.uniform_,
    nn.init.kaiming_normal_,
    nn.init.kaiming_uniform_,
    nn.init.normal_,
    nn.init.trunc_normal_,
    nn.init.uniform_,
    nn.init.xavier_normal_,
    nn.init.xavier_uniform_,
}


class SkipInitialization(TorchFunctionMode):
    """Leave new weights uninitialized, since the file's replace them: their pages stay untouched.

    The meta device would need no memory at all, but importing PyTorch's compiler for it takes
    seconds.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in _INITIALIZERS:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))
