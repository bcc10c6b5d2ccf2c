"""A segmentation model: a network with its classes, colours and normalization; load and save it.

`segmenter.py` is the class and how it predicts, `described_network.py` what it consists of,
`checks.py` what is wrong with one, `heads.py` which of its scores are which classes, `files.py` how
it is stored, and `stored_settings.py` which of its settings all files have.
"""

from fullconv.model.files import exported_model, load, write_model
from fullconv.model.segmenter import Model

__all__ = ["Model", "exported_model", "load", "write_model"]
