"""The table of un-pooling equals PyTorch's pooling with indices, also at incomplete windows."""

import torch
import torch.nn.functional as F

from fullconv.explain.matrices import parse_matrix
from fullconv.explain.unpooling import draw_unpooling, unpooling_table

X = parse_matrix("1 2 6 3 0; 3 5 2 1 9; 1 2 2 1 4", "x")


def test_maxima_indices_and_output_equal_pytorchs():
    table = unpooling_table(X, 2)
    x = torch.tensor([[[[float(v) for v in row] for row in X]]])
    values, indices = F.max_pool2d_with_indices(x, 2, ceil_mode=True)
    assert [[float(v) for v in row] for row in table.pooled] == values[0, 0].tolist()
    assert [list(row) for row in table.indices] == indices[0, 0].tolist()
    expected = F.max_unpool2d(values, indices, 2, output_size=(3, 5))
    assert [[float(v) for v in row] for row in table.output] == expected[0, 0].tolist()
    assert table.kept == 6


def test_the_picture_has_the_indices():
    assert all(f">{i}<" in draw_unpooling(unpooling_table(X, 2)) for i in (6, 2, 9, 11, 12, 14))
