"""Photos are turned in training where neither masks nor light tell up from down."""

from dataclasses import replace

import numpy as np
import pytest

import fullconv as fc
from fullconv.config import Head
from fullconv.data.sample import Data, Sample
from fullconv.training.orientation import ENOUGH, has_no_up, resolve_turning


def drawn(draw, count=24):
    """Return photos of noise; `draw` changes (image, labels) by a generator."""

    def read(index):
        random = np.random.default_rng(index)
        image = random.integers(0, 256, (20, 30, 3), np.uint8)
        labels = np.zeros((20, 30), np.uint8)
        draw(image, labels, random)
        return Sample(image, labels, f"n{index}")

    names = tuple(f"n{i}" for i in range(count))
    return Data("drawn", None, ("ground", "cell"), ((0, 0, 0), (1, 1, 1)), names, read)


def anywhere(image, labels, random):
    row, column = random.integers(0, 15), random.integers(0, 25)
    labels[row : row + 5, column : column + 5] = 1


def below(image, labels, random):
    row = random.integers(8, 15)
    labels[row : row + 5, 5:25] = 1


def lit_from_above(image, labels, random):
    anywhere(image, labels, random)
    image[:10] = image[:10] // 2 + 127


def constant(image, labels, random):
    image[:] = 90
    labels[12:] = 1


@pytest.mark.parametrize(
    ("draw", "expected"),
    [(anywhere, True), (below, False), (lit_from_above, False), (constant, False)],
)
def test_a_class_or_light_that_keeps_to_one_side_tells_up_from_down(draw, expected):
    assert has_no_up(drawn(draw)) == expected


def test_a_class_of_any_head_tells_up_from_down():
    def with_heads(*draws):
        """Return photos with the labels of one head for each draw, and the image of the first."""
        parts = [drawn(draw) for draw in draws]
        heads = tuple(
            Head(name=f"h{number}", classes=part.classes, palette=part.palette)
            for number, part in enumerate(parts)
        )

        def read(index):
            first, *others = (part.read(index) for part in parts)
            return replace(first, others=tuple(other.labels for other in others))

        return replace(parts[0], heads=heads, read=read)

    assert has_no_up(with_heads(anywhere, anywhere))
    assert not has_no_up(with_heads(anywhere, below))
    assert not has_no_up(with_heads(below, anywhere))


def test_few_photos_prove_nothing():
    assert not has_no_up(drawn(anywhere, ENOUGH - 1))


def test_a_rare_class_that_is_on_few_photos_decides_nothing():
    def draw(image, labels, random):
        anywhere(image, labels, random)
        labels[labels == 1] = 0 if random.random() < 0.8 else 1

    assert has_no_up(drawn(draw))


def test_ignored_pixels_and_photos_of_one_row_do_not_count():
    data = drawn(anywhere)
    void = replace(data, read=lambda i: replace(data[i], labels=np.full((20, 30), 255, np.uint8)))
    flat = replace(
        data, read=lambda i: replace(data[i], image=data[i].image[:1], labels=data[i].labels[:1])
    )
    assert has_no_up(void) and has_no_up(flat)


def test_the_decision_is_said_and_can_be_taken_back():
    data = drawn(anywhere)
    config, note = resolve_turning(fc.TrainConfig(), data)
    assert config.turn is True and "--set turn=false" in note
    assert resolve_turning(fc.TrainConfig(turn=False), data) == (fc.TrainConfig(turn=False), "")
    upright, note = resolve_turning(fc.TrainConfig(), drawn(below))
    assert upright.turn is False and note == ""
    rotated, _ = resolve_turning(fc.TrainConfig(rotate=10), data)
    assert rotated.turn is False
    directed, _ = resolve_turning(fc.TrainConfig(flip=False), data)
    assert directed.turn is False, "turning mirrors, which was refused"
