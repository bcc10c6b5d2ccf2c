"""A segmentation model: a network with its classes, colours and normalization; load and save it.

`segmenter.py` is the class, `checks.py` what is wrong with one, `heads.py` which of its scores are
which classes, `files.py` how it is stored.
"""

from fullconv.model.files import exported_model, load, write_model
from fullconv.model.segmenter import Model

__all__ = ["Model", "exported_model", "load", "write_model"]
