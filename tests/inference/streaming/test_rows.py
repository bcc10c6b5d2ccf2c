"""Buffered rows are kept while they are needed, and freed afterwards."""

import torch

from fullconv.inference.streaming.rows import RowBuffer


def test_rows_are_kept_until_they_are_dropped():
    rows = RowBuffer(10, 2)
    for value in range(3):
        rows.add(torch.full((1, 1, 4, 2), float(value)))
    assert (rows.begin, rows.end) == (10, 22)
    assert rows.take((12, 19))[0, 0, :, 0].tolist() == [0, 0, 1, 1, 1, 1, 2]
    freed = rows.drop(13)
    assert freed == 3 * 2 * 4  # one row of four is copied, so that the others can go
    assert rows.take((13, 15))[0, 0, :, 0].tolist() == [0, 1]
    assert rows.drop(22) == (1 + 4 + 4) * 2 * 4 and rows.end == 22
    rows.add(torch.zeros(1, 1, 1, 2))
    assert rows.take((22, 23)).shape == (1, 1, 1, 2)
