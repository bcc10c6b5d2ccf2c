"""Layer sizes and costs, compared with published numbers and with counts by hand."""

import pytest

from fullconv.config import Architecture, Normalization
from fullconv.networks.fcn.summary import derive_crops, on_meta, summarize

RAW = Normalization(mean=(0, 0, 0), std=(1, 1, 1))


def rows(name="fcn8s-vgg16", size=(500, 500), **settings):
    network = on_meta(Architecture(name=name, **{"classes": 21, "padding": 100, **settings}), RAW)
    return {row.name: row for row in summarize(network, *size)}, network


def test_the_papers_network():
    found, _ = rows()
    # The reference material's recipe has 134,489,759 values for these very settings.
    assert sum(row.parameters for row in found.values()) == 134_489_759
    assert (found["fc7"].field, found["fc7"].stride) == (404, 32)
    assert found["fc7"].shape == (4096, 16, 16) and found["upscore8"].shape == (21, 568, 568)
    # 363 GFLOP of the literal network at 500 x 500, as measured by others (2 a multiply-add).
    assert 2 * sum(row.multiply_adds for row in found.values()) / 1e9 == pytest.approx(
        363, rel=0.01
    )


def test_a_convolution_is_counted_by_hand():
    found, _ = rows(size=(10, 12), padding="same")
    assert found["conv1_1"].multiply_adds == 10 * 12 * 64 * 3 * 9
    assert found["conv1_1"].parameters == 64 * 3 * 9 + 64
    assert found["upscore8"].multiply_adds == 2 * 2 * 21 * 21 * 16 * 16


@pytest.mark.parametrize(
    ("name", "offsets"),
    [("fcn32s", "19"), ("fcn16s", "27"), ("fcn8s", "31"), ("fcn4s", "33")],
)
def test_the_derived_crops_end_at_the_image(name, offsets):
    _, network = rows(f"{name}-vgg16", (32, 32), width=1 / 64)
    lines = list(derive_crops(network))
    assert lines[0] == "drop7: centre of pixel i in the image = 32 i + 25/2"
    assert lines[-1].strip().startswith(f"aligned after dropping {offsets} rows")
