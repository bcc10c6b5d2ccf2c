import numpy as np
import pytest
import torch

from fullconv.data.batches import collate
from fullconv.data.sample import Data, Sample
from fullconv.io.palettes import voc_palette


def sample(height, width, value=1, name="one"):
    image = np.full((height, width, 3), value, np.uint8)
    return Sample(image, np.full((height, width), value, np.uint8), name)


def test_unequal_sizes_are_filled_up_with_void():
    batch = collate([sample(2, 5, 1, "a"), sample(4, 3, 2, "b")])
    assert batch.image.shape == (2, 3, 4, 5) and batch.labels.shape == (2, 4, 5)
    assert batch.names == ("a", "b") and batch.labels.dtype == torch.int64
    assert (batch.labels[0, :2] == 1).all() and (batch.labels[0, 2:] == 255).all()
    assert (batch.labels[1, :, :3] == 2).all() and (batch.labels[1, :, 3:] == 255).all()
    assert (batch.image[1, :, :, :3] == 2).all()


def data(count=4):
    names = tuple(f"n{i}" for i in range(count))
    return Data("test", None, ("a", "b"), voc_palette(2), names, lambda i: sample(i + 1, 2))


def test_a_data_set_is_read_when_asked():
    assert len(data()) == 4 and data()[2].labels.shape == (3, 2)
    assert data()[-1].labels.shape == (4, 2)
    assert [one.labels.shape[0] for one in data()] == [1, 2, 3, 4]
    with pytest.raises(IndexError):
        data()[4]


def test_a_part_keeps_names_and_order():
    part = data().take([3, 1])
    assert part.names == ("n3", "n1") and part[0].labels.shape == (4, 2)
    assert data().take(iter([-1])).names == ("n3",)
    assert data().take([-1])[0].labels.shape == (4, 2)


@pytest.mark.parametrize("wrong", [True, "n1", slice(2), 1.0, np.True_])
def test_only_whole_numbers_choose_samples(wrong):
    with pytest.raises(TypeError, match="is not the number of a sample" if wrong is True else None):
        data()[wrong]
    with pytest.raises(TypeError, match="is not the number of a sample" if wrong is True else None):
        data().take([0, wrong])  # a list of truth values would choose samples 0 and 1


def test_a_part_of_samples_that_do_not_exist_is_refused():
    with pytest.raises(IndexError, match="sample 4 of 4"):
        data().take([0, 4])


def test_samples_can_be_compared():
    first, second = sample(2, 2), sample(2, 2)
    assert first == first and first != second and second in [first, second]
