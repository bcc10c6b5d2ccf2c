"""Receptive fields: derived equals measured, and the gradient stays inside of the field."""

import numpy as np
import torch

import fullconv as fc
from fullconv.config import new_architecture
from fullconv.explain.field_picture import Influence, compare_fields, draw_fields, influence
from fullconv.explain.narrow import narrow_network


def test_derived_fields_are_measured():
    fields = compare_fields(narrow_network(new_architecture("fcn8s-vgg11", 21)))
    assert [each.derived.stride for each in fields] == [8, 16, 32]
    assert all(each.equal for each in fields)


def test_the_sides_of_squares_that_hold_a_share_of_the_gradient():
    gradient = np.zeros((9, 9))
    gradient[4, 4], gradient[4, 6], gradient[0, 4] = 5, 4, 1
    found = Influence(4, 4, 0, gradient)
    assert (found.side(0.5), found.side(0.9), found.side(1.0)) == (1, 5, 9)


def test_the_gradient_is_inside_of_the_coarsest_field():
    network = fc.create_model("fcn32s-alexnet", classes=2, width=1 / 16, hidden=4).eval()
    torch.nn.init.normal_(network.score_fr.weight)
    image = 255 * torch.rand(1, 3, 520, 36)
    found = influence(network, image)
    field = network.feature_info()[network.top].field
    rows = found.gradient.sum(1).nonzero()[0]
    # Interpolation reads the scores of two neighboring positions.
    assert 0 < rows.max() - rows.min() < field.size + field.stride
    picture = draw_fields(compare_fields(network), image_of(image), found, "<a>")
    assert "the score of &lt;a&gt;" in picture and "95 % of the gradient" in picture


def image_of(batch):
    return batch[0].permute(1, 2, 0).numpy().astype(np.uint8)


def test_fields_without_a_photo():
    picture = draw_fields(
        compare_fields(narrow_network(new_architecture("fcn16s-vgg11", 2))), None, None
    )
    assert "stride 32" in picture
