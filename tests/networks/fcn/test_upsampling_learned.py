"""Each kind of upsampling can be trained, resumed, saved and exported."""

import pytest
import torch
from torch.export import Dim, export

import fullconv as fc
from fullconv.config import TrainConfig
from fullconv.networks.fcn.summary import derive_crops, summarize
from fullconv.training.initial_model import initial_model
from fullconv.training.target import cross_entropy
from fullconv.training.trainer import Trainer

WAYS = [
    {"upsampling": "transposed"},
    {"upsampling": "transposed", "learn_upsampling": True},
    {"upsampling": "transposed", "fusing": "sum"},
    {"upsampling": "bilinear"},
    {"upsampling": "bilinear", "fusing": "sum"},
    {"upsampling": "bilinear-corners"},
    {"upsampling": "unpooling"},
]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way.values())))
TINY = {"width": 1 / 16, "hidden": 8}


def network(way, name="fcn8s-vgg11_bn", **options):
    torch.manual_seed(0)
    made = fc.create_model(name, 3, **TINY, **way, **options).eval()
    for layer in made.score_layers():
        torch.nn.init.normal_(layer.weight, std=0.1)
    return made


def photo(height, width, batch=2):
    generator = torch.Generator().manual_seed(height)
    return torch.rand(batch, 3, height, width, generator=generator) * 255


def config(way, **changes):
    settings = {"model": "fcn16s-vgg11_bn", "size": (48, 48), "crop": (48, 48), "device": "cpu"}
    return TrainConfig(**(settings | {"steps": 4, "batch": 2, "lr": 0.01} | TINY | way | changes))


def training(way, **changes):
    data = fc.open_data("scenes:8", split="train")
    settings = config(way, **changes)
    return Trainer(initial_model(settings, data), data, settings)


def weights(run):
    return run.model.network.state_dict()


@ways
def test_the_loss_decreases(way):
    made, image = network(way, "fcn16s-vgg11").train(), photo(32, 32)
    labels = (image.sum(1) > 382).long()
    image[:, :, 10:20] = 0
    labels[:, 10:20] = 2  # a band to find
    parameters = [one for one in made.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(parameters, 0.01)
    losses = []
    for _ in range(40):
        loss = cross_entropy(made(image), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]


@ways
def test_a_resumed_training_ends_with_the_same_weights(way, tmp_path):
    whole, first = training(way), training(way)
    list(whole.run())
    for step in first.run():
        if step.number == 2:
            first.save(tmp_path / "last.safetensors")
            break
    again = training(way)
    again.restore(tmp_path / "last.safetensors")
    assert [step.number for step in again.run()] == [3, 4]
    ended, expected = weights(again), weights(whole)
    assert all(torch.equal(ended[name], expected[name]) for name in expected)


@ways
def test_a_saved_model_predicts_the_same(way, tmp_path):
    model = fc.Model(network(way), ("sky", "road", "car"))
    model.save(tmp_path / "a.safetensors")
    again = fc.load(tmp_path / "a.safetensors")
    assert again.network.architecture == model.network.architecture
    assert torch.equal(again.network(photo(33, 50)), model.network(photo(33, 50)))
    learning = {name for name, one in model.network.named_parameters() if one.requires_grad}
    assert {name for name, one in again.network.named_parameters() if one.requires_grad} == learning


@ways
@torch.no_grad()
def test_exports_work_for_any_size(way):
    made = network(way)
    # AUTO, since with named dimensions PyTorch refuses the half-filled windows of ceil_mode; and
    # what is exported with more than one cell a side is for more than one: from 33 x 33 on.
    sizes = {"image": {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}}
    program = export(made, (photo(97, 130),), dynamic_shapes=sizes).module()
    for size in ((97, 130), (33, 200), (64, 64), (33, 33)):
        image = photo(*size, batch=3)
        torch.testing.assert_close(program(image), made(image))


@ways
@torch.no_grad()
def test_the_summary_lists_every_layer_and_the_crops(way):
    made = network(way)
    rows = summarize(made, 40, 50)
    assert sum(row.parameters for row in rows) == sum(one.numel() for one in made.parameters())
    text = "\n".join(derive_crops(made))
    cropped = way["upsampling"] in ("transposed", "bilinear")
    assert ("no crops" in text) is not cropped
    for offset in made.offsets():
        assert not cropped or f"after dropping {offset} rows" in text


@torch.no_grad()
def test_bilinear_equals_transposed_except_at_the_border():
    # An image that is wide enough: 80 pixels are what two cells and the last kernel reach.
    fixed, interpolated = (network({"upsampling": kind}) for kind in ("transposed", "bilinear"))
    interpolated.load_state_dict(fixed.state_dict(), strict=False)
    first, second = fixed(photo(288, 320)), interpolated(photo(288, 320))
    inside = (..., slice(80, -80), slice(80, -80))
    torch.testing.assert_close(first[inside], second[inside], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(first[..., 0, :], second[..., 0, :], rtol=1e-2)


@torch.no_grad()
def test_a_constant_score_stays_constant_to_the_border_only_if_edges_are_repeated():
    for kind, constant in (("bilinear", True), ("bilinear-corners", True), ("transposed", False)):
        made = network({"upsampling": kind}, "fcn32s-vgg11")
        made.score_fr.weight.zero_()
        made.score_fr.bias.fill_(3)
        assert torch.allclose(made(photo(50, 70)), torch.tensor(3.0)) is constant


@torch.no_grad()
def test_corner_resizing_shifts_scores_at_the_edges_and_interpolation_does_not():
    # Each 32-pixel cell's score is the row of its centre.
    rows = torch.arange(4.0).view(1, 1, 4, 1) * 32 + 15.5
    for kind, off in (("bilinear", 0), ("bilinear-corners", 15.5)):
        made = network({"upsampling": kind}, "fcn32s-vgg11")
        layer = made.get_submodule(made.final)
        score = rows.expand(1, 3, 4, 4)
        enlarged = layer(score, (128, 128)) if off else layer(score)
        cropped = enlarged[0, 0, made.offset : made.offset + 128, 64]
        wrong = (cropped - torch.arange(128)).abs()
        assert wrong[16:-16].max() <= off * 0.8 + 1e-4
        assert wrong.max().item() == pytest.approx(15.5, abs=1e-4)  # both repeat the edge
