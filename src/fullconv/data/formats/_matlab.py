"""Labels in MATLAB files, read by scipy."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from fullconv.errors import DataError
from fullconv.io.images import Header
from fullconv.io.regular import check_regular


def mat_raw(key: str, *fields: str) -> Callable[[Path, Header], np.ndarray]:
    """Return the reader of a mask that is in the variable `key`, or in nested fields of it."""
    return partial(_raw, key, fields)


def read_mat(path: Path, key: str, fields: tuple[str, ...] = ()) -> np.ndarray:
    """Read the integers (H, W) in a MATLAB file (version 7 and older).

    Raises:
        DataError: the file cannot be read, or has no such variable.
    """
    from scipy.io import loadmat  # slow to import, and few data sets need it

    try:
        check_regular(path)
        value = loadmat(str(path), variable_names=[key])[key]
        for field in fields:
            value = value[field][0, 0]
    except NotImplementedError as error:
        raise DataError(
            "a MATLAB file of version 7.3",
            expected="7 or older",
            remedy="save it with -v7",
            where=path,
        ) from error
    except (KeyError, IndexError, ValueError) as error:
        wanted = ".".join((key, *fields))
        raise DataError(
            f"no variable {wanted}, which holds the labels",
            where=path,
        ) from error
    except OSError as error:
        raise DataError(f"cannot be opened ({error.strerror or error})", where=path) from error
    except Exception as error:  # a damaged file can raise anything in scipy, zlib included
        raise DataError(
            f"the file is damaged or not a MATLAB file ({error})",
            where=path,
        ) from error
    return as_integers(np.asarray(value), path)


def as_integers(values: np.ndarray, path: Path) -> np.ndarray:
    """Return `values` as integers (H, W).

    Raises:
        DataError: they are not integers, or not two-dimensional.
    """
    numbers = values.astype(np.int64) if values.dtype.kind in "fiub" else None
    if numbers is None or values.ndim != 2 or not (numbers == values).all():
        raise DataError(
            f"{values.dtype} of shape {values.shape}",
            expected="whole numbers, height x width",
            where=path,
        )
    return numbers


def _raw(key: str, fields: tuple[str, ...], path: Path, _: Header) -> np.ndarray:
    return read_mat(path, key, fields)
