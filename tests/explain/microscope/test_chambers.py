"""Every chamber in Chromium: PyTorch's numbers, by keyboard, on a phone, in two languages."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from accessibility import fetch_axe, violations
from browser import check_page, contrasts, overflow
from fullconv.explain.bilinear import bilinear_table
from fullconv.explain.matrices import as_matrix
from fullconv.explain.microscope.layers import stage_name
from fullconv.explain.skips import skip_contributions
from fullconv.networks.geometry import receptive_field
from fullconv.networks.layers import NamedSequential
from microscopes import (
    CHAMBERS,
    EXACT,
    batch,
    convolved,
    difference,
    learn_upsampling,
    model,
    photo,
    write_page,
)

pytestmark = pytest.mark.slow

IMAGE = photo()
MODELS = {
    "same": lambda: model(),
    "paper": lambda: model("fcn8s-vgg16", padding=100),
    "learned": lambda: learn_upsampling(
        model(upsampling="transposed", learn_upsampling=True, skip_scales=(0.1, 0.01))
    ),
    "sum": lambda: model("fcn16s-vgg11", fusing="sum"),
    "corners": lambda: model("fcn8s-vgg11", upsampling="bilinear-corners", context=6),
}


@pytest.fixture(scope="module", params=MODELS)
def made(request):
    """A small network of each kind."""
    return MODELS[request.param]()


@pytest.fixture(scope="module")
def page(made, tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("page") / "microscope.html", made, IMAGE)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("tiny") / "microscope.html", model(), IMAGE)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    """The page of a network that is not in it, and the network."""
    large = model(hidden=80)
    return write_page(tmp_path_factory.mktemp("large") / "a.html", large, IMAGE, live=False), large


def opened(browser, path, chamber="", **options):
    shown = browser.open(f"{path.as_uri()}#{chamber}", **options)
    shown.wait_for_selector("html[data-state]", state="attached")
    assert shown.evaluate("document.documentElement.dataset.state") == "ready"
    if chamber:
        shown.wait_for_selector(f"#{chamber}[data-ready]")
    return shown


def values(shown, chamber, **given):
    return shown.evaluate(f"microscope.values('{chamber}', {json.dumps(given)})")


# Chamber 1


def test_dense_scores_are_those_of_the_score_layer(browser, page, made):
    weight, x = torch.randn(3, 3), torch.randn(6, 5)
    shown = opened(browser, page)
    found = values(shown, "dense", input=x.tolist(), weight=weight.tolist())
    expected = F.conv2d(x[None, None], weight[None, None], torch.ones(1))[0, 0]
    assert difference(found["scores"], expected) < EXACT
    scores = score_maps(made.network)[0]
    assert difference(np.transpose(found["own"]), scores.flatten(1)) < EXACT
    shown.close()


@torch.inference_mode()
def score_maps(network) -> list[Tensor]:
    """Return the outputs of the score layers, coarse to fine."""
    found = {}
    hooks = [
        layer.register_forward_hook(lambda layer, _, output: found.update({layer: output[0]}))
        for layer in network.score_layers()
    ]
    network(batch(IMAGE))
    for hook in hooks:
        hook.remove()
    return [found[layer] for layer in network.score_layers()]


# Chambers 2 to 5, which need no network


@pytest.mark.parametrize("aligned", [False, True])
def test_bilinear_tables_are_exact_and_pytorchs(browser, tiny, aligned):
    x = [[1, 2, 5], [3, 4, -7]]
    tent = [0.25, 0.75, 0.75, 0.25]
    shown = opened(browser, tiny)
    found = values(shown, "bilinear", input=x, size=[5, 9], aligned=aligned, tent=tent, factor=2)
    exact = bilinear_table(as_matrix(x), (5, 9), aligned).values
    assert difference(found["table"], [[float(v) for v in row] for row in exact]) < 1e-15
    tensor = torch.tensor(x, dtype=torch.float64)[None, None]
    expected = F.interpolate(tensor, (5, 9), mode="bilinear", align_corners=aligned)[0, 0]
    assert difference(found["table"], expected) < 1e-12
    large = convolved(
        found["patch"], torch.outer(torch.tensor(tent), torch.tensor(tent)).tolist(), 2
    )
    assert difference(found["enlarged"], large[1:-1, 1:-1]) < EXACT
    grey = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    small = F.avg_pool2d((batch(IMAGE)[0].double() * grey[:, None, None]).sum(0)[None, None], 3)
    assert difference(found["patch"], small[0, 0]) < EXACT
    shown.close()


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_convolutions_are_pytorchs_in_every_view(browser, tiny, stride):
    x, kernel = torch.randn(2, 3).tolist(), torch.randn(4, 4).tolist()
    shown = opened(browser, tiny)
    found = values(shown, "transposed", input=x, kernel=kernel, stride=stride)
    assert set(found) == {"insertion", "scattering", "matrix"}
    for view in found.values():
        assert difference(view, convolved(x, kernel, stride)) < EXACT
    shown.close()


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (4, 2), (1, 1), (8, 3)])
def test_checkerboards_are_pytorchs(browser, tiny, kernel, stride):
    shown = opened(browser, tiny)
    ones = [[1.0] * 6] * 6
    square = [[1.0] * kernel] * kernel
    found = values(shown, "checkerboard", kernel=kernel, stride=stride, kind="ones")
    assert found["counts"] == found["ones"] == convolved(ones, square, stride).tolist()
    assert difference(found["photo"], convolved(found["patch"], square, stride)) < EXACT
    shown.close()


def test_unpooling_is_pytorchs(browser, tiny):
    x = torch.randn(4, 6)
    shown = opened(browser, tiny)
    found = values(shown, "unpooling", input=x.tolist())
    pooled, indices = F.max_pool2d(x[None], 2, return_indices=True)
    assert difference(found["pooled"], pooled[0]) < EXACT
    assert found["indices"] == indices.flatten().tolist()
    assert difference(found["unpooled"], F.max_unpool2d(pooled, indices, 2)[0]) < EXACT
    smooth = F.interpolate(pooled[None], scale_factor=2, mode="bilinear")[0, 0]
    assert difference(found["smooth"], smooth) < EXACT
    patch = torch.tensor(found["patch"])
    pooled, indices = F.max_pool2d(patch[None], 2, ceil_mode=True, return_indices=True)
    back = F.max_unpool2d(pooled, indices, 2, output_size=patch.shape)[0]
    assert difference(found["photo"], back) < EXACT
    shown.close()


# Chambers 6 to 9, on each network


def test_scores_and_contributions_are_those_of_the_network(browser, page, made):
    shown = opened(browser, page)
    found = values(shown, "skips")
    for one, expected in zip(found["scores"], score_maps(made.network), strict=True):
        assert difference(one, expected) < EXACT
    parts = skip_contributions(made.network, batch(IMAGE))
    for one, expected in zip(found["parts"], parts, strict=True):
        assert difference(one, expected.score) < EXACT
    with torch.inference_mode():
        score = made.network(batch(IMAGE))[0]
    best = score.topk(2, 0).values
    clear = (best[0] - best[1] > 1e-4 * score.abs().max()).flatten().numpy()
    assert (np.array(found["labels"]) == score.argmax(0).flatten().numpy())[clear].all()
    assert clear.mean() > 0.99
    shown.close()


@pytest.mark.parametrize("side", [70, 93])
def test_crops_and_sizes_are_those_of_the_network(browser, page, made, side):
    shown = opened(browser, page)
    found = values(shown, "crops", network="own", padding=0, side=side)
    if made.network.upsampling == "bilinear-corners":
        assert found["offsets"] == []
    else:
        assert found["offsets"] == [[offset, 1] for offset in made.network.offsets()]
        assert found["rows"].items() >= network_rows(made.network, side).items()
    shown.close()


def network_rows(network, side) -> dict[str, int]:
    found = {}
    names = {layer: name.removeprefix("backbone.") for name, layer in network.named_modules()}
    kinds = (torch.nn.Conv2d, torch.nn.MaxPool2d)

    def note(layer, inputs, output):
        found[names[layer]] = output.shape[-2]

    layers = [layer for layer in network.backbone.modules() if isinstance(layer, kinds)]
    layers += [layer for layer, name in names.items() if name.startswith("upscore")]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    network(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(("name", "offsets"), [("32s", [19]), ("16s", [5, 27]), ("8s", [5, 9, 31])])
def test_the_papers_crops(browser, tiny, name, offsets):
    shown = opened(browser, tiny)
    found = values(shown, "crops", network=name, padding=100, side=506)
    assert found["offsets"] == [[offset, 1] for offset in offsets]
    paper = model(f"fcn{name}-vgg16", padding=100, width=1 / 32, hidden=2).network
    assert found["rows"].items() >= network_rows(paper, 506).items()
    shown.close()


def test_fields_and_paths_are_those_of_the_network(browser, page, made):
    shown = opened(browser, page)
    info = made.network.backbone.feature_info()
    for feature in (*made.network.skips, made.network.top):
        name = stage_name(made.network, feature)
        found = values(shown, "field", network="own", feature=name)
        field = info[feature].field
        assert found["size"] == field.size
        for key in ("scale", "shift"):
            exact = getattr(field.map, key)
            assert found[key] == [exact.numerator, exact.denominator]
        assert difference(found["paths"], paths(made.network.backbone, name, field)) < EXACT
    shown.close()


def paths(chain: NamedSequential, last: str, field) -> Tensor:
    """Return the gradient of one pixel's value, if all layers take means, along one axis."""
    layers = []
    for name, layer in chain.named_children():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.MaxPool2d):
            kernel, stride = (
                value[0] if isinstance(value, tuple) else value
                for value in (layer.kernel_size, layer.stride)
            )
            layers.append(torch.nn.AvgPool1d(kernel, stride))
        if name == last:
            break
    assert receptive_field([]).size == 1
    x = torch.zeros(1, 1, field.size, dtype=torch.float64, requires_grad=True)
    y = torch.nn.Sequential(*layers)(x)
    (gradient,) = torch.autograd.grad(y[0, 0, 0], x)
    return gradient[0, 0]


def test_the_papers_field_has_404_pixels(browser, tiny):
    shown = opened(browser, tiny)
    assert values(shown, "field", network="paper", feature="fc7")["size"] == 404
    shown.close()


@torch.inference_mode()
def test_all_maps_of_the_network_are_pytorchs(browser, page, made):
    shown = opened(browser, page)
    found = values(shown, "network")
    chain = made.network.backbone
    outputs = chain.features(made.network.normalize(batch(IMAGE)), dict(chain.named_children()))
    last = {stage_name(made.network, name): output for name, output in outputs.items()}
    assert {name for name in found if not name.startswith(("score", "context"))} == {*last, "image"}
    for name, expected in last.items():
        assert difference(found[name], expected[0]) < EXACT, name
    for layer, expected in zip(("fr", *made.network.skips), score_maps(made.network), strict=True):
        assert difference(found[f"score_{layer}"], expected) < EXACT
    shown.close()


def test_the_formula_of_a_neuron_gives_the_value_of_its_map(browser, tiny):
    shown = opened(browser, tiny, "network")
    for stage in ("conv1_1", "pool2", "conv4_2", "fc6", "score_pool4"):
        shown.click(f".stage:has-text('{stage}')")
        shown.focus("#network .stack[role=application]")
        shown.keyboard.press("ArrowLeft")
        text = shown.inner_text("#network .formula").replace("\N{MINUS SIGN}", "-")
        result = float(text.rstrip(".").split()[-1])
        row, column = shown.inner_text("#network h3:last-of-type").split("(")[1][:-1].split(", ")
        size = shown.inner_text("#network h3").split(" ")
        height, width = int(size[-3]), int(size[-1])
        maps = values(shown, "network")[stage]
        expected = np.reshape(maps, (-1, height, width))[0, int(row), int(column)]
        assert result == pytest.approx(expected, rel=1e-3, abs=1e-4), stage
    shown.close()


def test_a_reduced_network_has_exact_scores_and_neurons(browser, reduced):
    path, large = reduced
    shown = opened(browser, path)
    assert "too large" in shown.inner_text("footer") and "64 of 80" in shown.inner_text("#notes")
    scores = score_maps(large.network)
    dense = values(shown, "dense", input=[[0.0] * 3] * 3, weight=[[0.0] * 3] * 3)["own"]
    assert difference(np.transpose(dense), scores[0].flatten(1)) < EXACT
    found = values(shown, "skips")
    for one, expected in zip(found["parts"], skip_contributions(large.network, batch(IMAGE)),
                             strict=True):  # fmt: skip
        assert difference(one, expected.score) < EXACT
    for name, [total] in values(shown, "network").items():
        layer = dict(large.network.named_modules())
        conv = layer.get(f"backbone.{name}", layer.get(name))
        output = outputs_of(large.network, conv)
        middle = output[:, output.shape[1] // 2, output.shape[2] // 2]
        assert abs(total - float(middle.max())) < EXACT * float(output.abs().max()), name
    shown.close()


@torch.inference_mode()
def outputs_of(network, layer) -> Tensor:
    kept = []
    hook = layer.register_forward_hook(lambda _, inputs, output: kept.append(output[0]))
    network(batch(IMAGE))
    hook.remove()
    return kept[0]


# How it is used


def test_the_page_asks_for_nothing_and_is_legible(browser, tiny):
    check_page(browser, tiny)


@pytest.mark.parametrize(
    ("width", "dark", "locale"), [(360, False, "zh-CN"), (360, True, "en"), (1100, True, "zh-CN")]
)
def test_every_chamber_is_legible(browser, tiny, width, dark, locale):
    shown = opened(browser, tiny, width=width, dark=dark, locale=locale)
    for chamber in CHAMBERS:
        shown.evaluate(f"location.hash = '{chamber}'")
        shown.wait_for_selector(f"#{chamber}[data-ready]")
        shown.click(f"#{chamber} summary")
        assert overflow(shown) <= 0, chamber
        low = [item for item in contrasts(shown) if item[0] < 4.5]
        assert not low, (chamber, low)
        text = shown.inner_text(f"#{chamber}") + shown.inner_text("footer")
        assert "undefined" not in text and "NaN" not in text and "{0}" not in text
    shown.close()
    assert not browser.errors and not browser.requests


def test_every_chamber_shows_its_code(browser, tiny):
    shown = opened(browser, tiny)
    expected = {"dense": "convolution", "bilinear": "bilinearTable", "unpooling": "unpool",
                "transposed": "insertZeros", "checkerboard": "summandCounts", "skips": "fuse",
                "crops": "cropOffset", "field": "receptiveField", "network": "neuron"}  # fmt: skip
    for chamber, function in expected.items():
        shown.evaluate(f"location.hash = '{chamber}'")
        shown.wait_for_selector(f"#{chamber}[data-ready]")
        assert f"function {function}(" in shown.text_content(f"#{chamber} pre")
    shown.close()


def test_the_page_is_used_by_keyboard_alone(browser, tiny):
    shown = opened(browser, tiny)
    focus_by_tab(shown, "#chambers a[href='#transposed']")
    shown.keyboard.press("Enter")
    shown.wait_for_selector("#transposed[data-ready]")
    assert shown.evaluate("document.activeElement.textContent").startswith("Transposed")
    focus_by_tab(shown, "#transposed input")
    shown.keyboard.press("Control+A")
    shown.keyboard.type("10")
    focus_by_tab(shown, "#transposed .cells[role=application]")
    before = shown.inner_text("#transposed .formula")
    assert "10·9" in before
    shown.keyboard.press("ArrowRight")
    after = shown.inner_text("#transposed .formula")
    assert after != before and "All three views" in shown.inner_text("#transposed .verdict")
    shown.evaluate("location.hash = 'skips'")
    shown.wait_for_selector("#skips[data-ready]")
    focus_by_tab(shown, "#skips label:nth-of-type(2) input")
    shown.keyboard.press("Space")
    assert "% of the pixels" in shown.inner_text("#skips .verdict")
    focus_by_tab(shown, "#skips .stack")
    at = shown.inner_text("#skips .formula")
    shown.keyboard.press("Shift+ArrowDown")
    assert shown.inner_text("#skips .formula") != at
    shown.close()


def focus_by_tab(shown, selector):
    for _ in range(80):
        shown.keyboard.press("Tab")
        if shown.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def test_a_number_that_is_none_is_marked_and_changes_nothing(browser, tiny):
    shown = opened(browser, tiny, "bilinear")
    before = shown.inner_text("#bilinear .formula")
    shown.fill("#bilinear input >> nth=1", "x")
    assert shown.get_attribute("#bilinear .inputs input >> nth=0", "aria-invalid") == "true"
    assert shown.inner_text("#bilinear .formula") == before
    shown.close()


def test_the_language_is_changed_everywhere(browser, tiny):
    shown = opened(browser, tiny, "crops", locale="en")
    assert "Padding of conv1_1" in shown.inner_text("#crops")
    shown.select_option("#language", "zh")
    text = shown.inner_text("#crops")
    assert "conv1_1 的填充" in text and "Padding" not in text
    assert shown.get_attribute("html", "lang") == "zh-CN"
    shown.close()


def test_axe_finds_nothing(browser, tiny, tmp_path):
    axe = fetch_axe(tmp_path)
    shown = opened(browser, tiny)
    for chamber in CHAMBERS:
        shown.evaluate(f"location.hash = '{chamber}'")
        shown.wait_for_selector(f"#{chamber}[data-ready]")
        assert violations(shown, axe) == [], chamber
    shown.close()
