import numpy as np
import pytest
import torch

from fullconv.inference.blended_tiles import Spans, TileBlender


def spans(height, width, side=64, overlap=16):
    return (Spans.covering(size, side, overlap, 8) for size in (height, width))


def assemble(blend, height, width, classes=3):
    found = torch.full((classes, height, width), float("nan"))
    for window, score in blend:
        assert found[0, *window.slices].isnan().all(), "each pixel is yielded once"
        found[:, *window.slices] = score
    return found


@pytest.mark.parametrize("height,width", [(1, 1), (64, 64), (200, 150), (65, 300)])
def test_tiles_with_equal_scores_give_the_whole_image(height, width):
    whole = torch.randn(3, height, width)
    blend = TileBlender(lambda w: whole[:, *w.slices].clone(), *spans(height, width), (0, height))
    assert torch.allclose(assemble(blend, height, width), whole, atol=1e-5)
    assert blend.seams.differing == 0
    assert (blend.seams.compared > 0) == (height > 64 or width > 64)


def test_scores_are_blended_between_two_tiles():
    height, width = 40, 112
    down, across = spans(height, width)

    def score_of(window):
        value = float(window.left > 0)
        return torch.stack([torch.full((window.height, window.width), v) for v in (value, 0.5)])

    row = assemble(TileBlender(score_of, down, across, (0, height)), height, width, 2)[0, 0]
    assert list(across.starts) == [0, 48]
    assert (row[:48] == 0).all() and (row[64:] == 1).all()
    assert np.all(np.diff(row[48:64].numpy()) > 0)


def test_pixels_with_different_labels_in_the_overlap_are_counted():
    height, width = 112, 112
    down, across = spans(height, width)

    def score_of(window):
        number = (window.top > 0) * 2 + (window.left > 0)
        return (
            torch.nn.functional.one_hot(
                torch.full((window.height, window.width), number), 4
            ).permute(2, 0, 1)
            * 1.0
        )

    blend = TileBlender(score_of, down, across, (0, height))
    assemble(blend, height, width, 4)
    # Each of the two rows of tiles has a vertical seam; between them is a horizontal one.
    assert blend.seams.compared == blend.seams.differing == 2 * 64 * 16 + 16 * width


def test_only_the_tiles_of_the_requested_rows_are_computed():
    whole = torch.randn(3, 400, 40)
    windows = []

    def score_of(window):
        windows.append(window)
        return whole[:, *window.slices].clone()

    blend = TileBlender(score_of, *spans(400, 40), (150, 160))
    found = {row: score[:, row - w.top] for w, score in blend for row in range(w.top, w.bottom)}
    assert all(torch.allclose(found[row], whole[:, row], atol=1e-5) for row in range(150, 160))
    assert len(windows) < 4
