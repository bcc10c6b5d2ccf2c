import numpy as np
import pytest

from fullconv.data.labels.run_lengths import decode_run_lengths, encode_run_lengths
from fullconv.errors import DataError

SIZE = (17, 23)


def test_run_lengths_are_column_major_or_row_major():
    assert decode_run_lengths([1, 2, 3], (2, 3), by_columns=True).tolist() == [
        [False, True, False],
        [True, False, False],
    ]
    assert decode_run_lengths([0, 4, 2], (2, 3), by_columns=False).tolist() == [
        [True, True, True],
        [True, False, False],
    ]


@pytest.mark.parametrize("counts", [[1, 2], [7], [8, -2], "abc", [[6]], None, []])
def test_run_lengths_must_fill_the_mask(counts):
    with pytest.raises(DataError, match="run lengths"):
        decode_run_lengths(counts, (2, 3), by_columns=True)


@pytest.mark.parametrize(
    "counts", [[2**63 - 1, 2**63 - 1, 17 * 23 + 2], [-1, 17 * 23 + 1], [10**400], ["x"], [[1]], 3]
)
def test_run_lengths_that_do_not_fit_are_refused(counts):
    with pytest.raises(DataError, match="run lengths"):
        decode_run_lengths(counts, SIZE, by_columns=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by_columns", [True, False])
def test_encoding_is_the_inverse_of_decoding(seed, by_columns):
    mask = np.random.default_rng(seed).random(SIZE) < 0.3
    mask[0, 0] = seed % 2  # begins outside and inside
    runs = encode_run_lengths(mask, by_columns)
    assert all(run > 0 for run in runs[1:])
    assert (decode_run_lengths(runs, SIZE, by_columns) == mask).all()


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("seed", range(4))
def test_pycocotools_decodes_runs_by_columns(seed):
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools decodes")
    mask = np.random.default_rng(seed).random(SIZE) < 0.5
    stored = {"size": list(SIZE), "counts": encode_run_lengths(mask, by_columns=True)}
    assert (coco.decode(coco.frPyObjects(stored, *SIZE)) == mask).all()
