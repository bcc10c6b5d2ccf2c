"""Annotations of shapes are checked at run time in all tests."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from conftest import modules_with_shapes
from fullconv.evaluation.metrics import Confusion


def test_a_wrong_element_type_is_refused():
    with pytest.raises(TypeCheckError):
        Confusion(3).add(np.zeros(4), np.zeros(4, np.int64))


def test_modules_with_shapes_are_found():
    assert {"fullconv.evaluation.metrics", "fullconv.training.losses"} <= {*modules_with_shapes()}
