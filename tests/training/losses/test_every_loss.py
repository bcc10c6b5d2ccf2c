"""Properties of all losses: ignored pixels, gradients, precision, order, parts of a batch."""

import pytest
import torch

from fullconv.training.losses import losses, make_loss

SPECS = [*losses, "focal(gamma=0.5)", "ohem(share=0.5)", "cross-entropy+0.5*lovasz+2*dice"]
WEIGHED = [spec for spec in SPECS if spec not in ("dice", "lovasz")]
CLASSES = 4
WEIGHTS = torch.tensor([0.5, 1.0, 3.0, 0.0])


def drawn(seed=0, size=(2, 5, 6), kind=torch.float64, spread=2.0):
    """Return scores and labels, a tenth of them ignored; class 3 does not occur."""
    random = torch.Generator().manual_seed(seed)
    batch, height, width = size
    score = spread * torch.randn(batch, CLASSES, height, width, generator=random).double()
    labels = torch.randint(0, CLASSES - 1, size, generator=random)
    labels[torch.rand(size, generator=random) < 0.1] = 255
    labels[0, 0, 0], labels[0, 0, 1] = 0, 255
    return score.to(kind), labels


def value_and_gradient(loss, score, labels):
    score = score.clone().requires_grad_()
    value = loss(score, labels)
    value.backward()
    return value.detach(), score.grad


@pytest.mark.parametrize("spec", SPECS)
def test_the_gradient_is_correct(spec):
    score, labels = drawn(size=(1, 2, 4))
    assert torch.autograd.gradcheck(lambda s: make_loss(spec)(s, labels), score.requires_grad_())


@pytest.mark.parametrize("spec", WEIGHED)
def test_the_gradient_is_correct_with_weights(spec):
    score, labels = drawn(1, size=(1, 2, 4))
    loss = make_loss(spec, WEIGHTS.double())
    assert torch.autograd.gradcheck(lambda s: loss(s, labels), score.requires_grad_())


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("spec", SPECS)
def test_ignored_pixels_only_give_exactly_zero_loss_and_gradient(spec, kind, weights):
    if weights is not None and spec not in WEIGHED:
        return
    score, labels = drawn(kind=kind)
    value, gradient = value_and_gradient(
        make_loss(spec, weights), score, torch.full_like(labels, 255)
    )
    assert float(value) == 0 and (gradient == 0).all()


@pytest.mark.parametrize("spec", SPECS)
def test_ignored_pixels_have_no_effect_and_no_gradient(spec):
    score, labels = drawn(2)
    void = (labels == 255)[:, None].expand_as(score)
    value, gradient = value_and_gradient(make_loss(spec), score, labels)
    other, _ = value_and_gradient(make_loss(spec), score.where(~void, 50.0), labels)
    assert (gradient[void] == 0).all() and (gradient[~void] != 0).any()
    assert torch.isclose(value, other, rtol=1e-12)


@pytest.mark.parametrize("spec", SPECS)
def test_a_class_without_weight_or_pixels_gives_no_nan(spec):
    score, labels = drawn(3, kind=torch.float32)
    labels = labels.where(labels == 255, 3)
    weights = WEIGHTS if spec in WEIGHED else None
    value, gradient = value_and_gradient(make_loss(spec, weights), score, labels)
    assert value.isfinite() and gradient.isfinite().all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("spec", SPECS)
def test_saturated_scores_have_finite_gradients(spec, sign):
    _, labels = drawn(4)
    right = torch.nn.functional.one_hot(labels.where(labels != 255, 0), CLASSES).movedim(-1, 1)
    score = sign * 1e4 * right.float()
    value, gradient = value_and_gradient(make_loss(spec), score, labels)
    assert value.isfinite() and gradient.isfinite().all()
    assert abs(float(value)) < 1e-6 if sign > 0 else float(value) > 0.5


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("spec", SPECS)
def test_half_precision_is_computed_in_float32(spec, kind):
    score, labels = drawn(5, size=(1, 270, 270), kind=kind)
    value = make_loss(spec)(score, labels)
    assert value.dtype == torch.float32
    assert torch.isclose(value.double(), make_loss(spec)(score.double(), labels), rtol=1e-4)


@pytest.mark.parametrize("spec", SPECS)
def test_autocast_does_not_lower_the_precision(spec):
    score, labels = drawn(6, size=(1, 100, 100), kind=torch.bfloat16)
    expected = make_loss(spec)(score, labels)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(make_loss(spec)(score, labels), expected)


@pytest.mark.parametrize("spec", SPECS)
def test_the_order_of_pixels_and_classes_does_not_matter(spec):
    score, labels = drawn(7)
    expected = make_loss(spec)(score, labels)
    pixels = torch.randperm(labels[0].numel(), generator=torch.Generator().manual_seed(0))
    moved = score.flatten(2)[:, :, pixels].unflatten(2, labels.shape[1:])
    there = labels.flatten(1)[:, pixels].unflatten(1, labels.shape[1:])
    assert torch.isclose(make_loss(spec)(moved, there), expected)
    names = torch.tensor([2, 0, 3, 1])
    renamed = torch.where(labels == 255, 255, names.argsort()[labels.where(labels != 255, 0)])
    assert torch.isclose(make_loss(spec)(score[:, names], renamed), expected)


@pytest.mark.parametrize("spec", ["cross-entropy", "cross-entropy-sum", "focal", "3*focal+ohem"])
def test_parts_of_a_batch_add_up_to_the_whole(spec):
    score, labels = drawn(8, size=(5, 4, 4))
    labels[0, 1:] = 255
    if "ohem" in spec:  # exact only where all the pixels are hard
        score = score / 100
    loss = make_loss(spec, None if "ohem" in spec else WEIGHTS.double())
    value, gradient = value_and_gradient(loss, score, labels)
    score.requires_grad_()
    whole = loss.normalizers(labels)
    parts = sum(loss(score[i:j], labels[i:j], whole) for i, j in [(0, 2), (2, 3), (3, 5)])
    parts.backward()
    assert torch.isclose(parts.detach(), value, rtol=1e-6)
    assert torch.allclose(score.grad, gradient, rtol=1e-5)


def test_results_are_reproducible():
    score, labels = drawn(9, size=(2, 40, 40), kind=torch.float32)
    score = score.round()  # many equal errors
    for spec in SPECS:
        first, again = (value_and_gradient(make_loss(spec), score, labels) for _ in range(2))
        assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


@pytest.mark.parametrize("spec", SPECS)
def test_minimizing_it_leads_to_the_labels(spec):
    score, labels = drawn(10, kind=torch.float32)
    score.requires_grad_()
    optimizer = torch.optim.Adam([score], 0.3)
    for _ in range(60):
        optimizer.zero_grad()
        make_loss(spec)(score, labels).backward()
        optimizer.step()
    right = score.argmax(1) == labels
    assert right[labels != 255].all()
