"""What a user reads when a command fails: one sentence, or a traceback to report if it is a bug."""

import errno
import traceback

from fullconv.errors import FullconvError, OutputError, explain_os_error

_REPORT = (
    "this is a bug of fullconv; please report it with the lines above, the command and, if "
    "possible, its input"
)
_NO_MEMORY = (
    "not enough memory{detail}; use smaller images (--size, --crop, --batch), a smaller --memory "
    "or model, or a machine with more memory"
)
_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def describe_error(error: BaseException) -> tuple[str, int]:
    """Return the message of an error that ends a command, and the exit code."""
    if isinstance(error, FullconvError):
        return str(error), error.exit_code
    if _lacks_memory(error):
        first = str(error).partition("\n")[0][:200]
        return _NO_MEMORY.format(detail=f" ({first})" if first else ""), 2
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _OUTPUT):
        return explain_os_error(error), OutputError.exit_code if error.errno in _OUTPUT else 2
    lines = "".join(traceback.format_exception(error)).rstrip()
    return f"unexpected error\n{lines}\nfullconv: {_REPORT}", 1


def _lacks_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    # PyTorch's own errors are RuntimeErrors: of CPUs, and of GPUs.
    texts = ("not enough memory", "out of memory", "Unable to allocate")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)
