"""Images that a network would misread are refused: broadcast channels, a missing batch, types."""

import pytest
import torch

import fullconv as fc
from fullconv.errors import ImageError
from fullconv.networks.image_tensor import check_images

FLOAT, DOUBLE = torch.float32, torch.float64


FIXED = {
    "images.expand(-1, 3, -1, -1)": lambda images: images.expand(-1, 3, -1, -1),
    "image[None]": lambda image: image[None],
    "image.permute(2, 0, 1)[None]": lambda image: image.permute(2, 0, 1)[None],
    "images.permute(0, 3, 1, 2)": lambda images: images.permute(0, 3, 1, 2),
}


@pytest.mark.parametrize(
    ("shape", "channels", "remedy"),
    [
        ((2, 1, 8, 9), 3, "images.expand(-1, 3, -1, -1)"),
        ((2, 2, 8, 9), 3, ""),
        ((2, 3, 8, 9), 4, ""),
        ((2, 1, 8, 9), 4, ""),
        ((3, 8, 9), 3, "image[None]"),
        ((8, 9, 3), 3, "image.permute(2, 0, 1)[None]"),
        ((2, 8, 9, 3), 3, "images.permute(0, 3, 1, 2)"),
        ((8, 9), 3, ""),
    ],
)
def test_other_shapes_are_refused_with_what_makes_them_right(shape, channels, remedy):
    image = torch.zeros(shape)
    with pytest.raises(ImageError) as refused:
        check_images(image, channels, FLOAT)
    text = str(refused.value)
    assert f"images of shape {shape}; expected (B, {channels}, H, W): red, green, blue" in text
    assert text.endswith(remedy or "from 0 to 255")
    if remedy:
        check_images(FIXED[remedy](image), channels, FLOAT)


@pytest.mark.parametrize(
    ("given", "network", "accepted"),
    [
        (FLOAT, FLOAT, True),
        (torch.uint8, FLOAT, True),
        (torch.float16, FLOAT, True),
        (FLOAT, torch.float16, True),  # under autocast
        (DOUBLE, DOUBLE, True),
        (DOUBLE, FLOAT, False),
        (torch.bool, FLOAT, False),
    ],
)
def test_types_that_a_network_cannot_compute_with_are_refused(given, network, accepted):
    image = torch.zeros((1, 3, 2, 2), dtype=given)
    if accepted:
        check_images(image, 3, network)
        return
    with pytest.raises(ImageError, match=f"images of the type {given}; expected {network}"):
        check_images(image, 3, network)


def test_a_network_refuses_what_would_be_broadcast():
    network = fc.create_model("fcn32s-vgg11", 2, width=1 / 32, hidden=4).eval()
    wide = fc.create_model("fcn32s-vgg11", 2, width=1 / 32, hidden=4, channels=4).eval()
    with torch.no_grad():
        for net, channels in ((network, 3), (wide, 4)):
            assert net(torch.zeros(1, channels, 5, 6)).shape == (1, 2, 5, 6)
            for call in (net, net.features):
                with pytest.raises(ImageError, match=rf"expected \(B, {channels}, H, W\)"):
                    call(torch.zeros(1, 1, 5, 6))
        with pytest.raises(ImageError, match=r"convert them: images.to\(torch.float32\)"):
            network(torch.zeros((1, 3, 5, 6), dtype=DOUBLE))
        network.double().normalization = network.normalization
        assert network(torch.zeros((1, 3, 5, 6), dtype=DOUBLE)).dtype == DOUBLE


def test_compiling_leaves_nothing_of_the_check():
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    def double(images):
        check_images(images, 3, FLOAT)
        return images * 2

    compiled = torch.compile(double, backend=backend, fullgraph=True, dynamic=True)
    images = torch.ones(1, 3, 5, 6)
    assert torch.equal(compiled(images), 2 * images) and len(graphs) == 1
    calls = [node for node in graphs[0].graph.nodes if node.op == "call_function"]
    assert [node.target.__name__ for node in calls] == ["mul"]
