"""Every chamber opens in Firefox, with PyTorch's numbers."""

import json
import time

import numpy as np
import pytest
import torch

from firefox import open_firefox
from fullconv.explain.skips import skip_contributions
from microscopes import CHAMBERS, EXACT, batch, convolved, difference, model, photo, write_page

pytestmark = pytest.mark.slow


def test_every_chamber_opens_in_firefox(tmp_path):
    made, image = model(), photo()
    page = write_page(tmp_path / "microscope.html", made, image)
    x, kernel = torch.randn(2, 3).tolist(), torch.randn(4, 4).tolist()
    with open_firefox(tmp_path / "profile") as firefox:
        firefox.open(page.as_uri())
        wait(firefox, "document.documentElement.dataset.state === 'ready'")
        for chamber in CHAMBERS:
            firefox.evaluate(f"void (location.hash = {json.dumps(chamber)})")
            wait(firefox, f"document.getElementById('{chamber}').dataset.ready === 'true'")
            assert firefox.evaluate(SHOWN) == [chamber]
        assert firefox.evaluate("document.getElementById('problem').textContent") == ""
        given = json.dumps({"input": x, "kernel": kernel, "stride": 2})
        views = firefox.evaluate(f"microscope.values('transposed', {given})")
        parts = firefox.evaluate("microscope.values('skips', {})")["parts"]
    assert all(difference(view, convolved(x, kernel, 2)) < EXACT for view in views.values())
    for part, expected in zip(parts, skip_contributions(made.network, batch(image)), strict=True):
        assert difference(np.array(part), expected.score) < EXACT


SHOWN = "[...document.querySelectorAll('main section:not([hidden])')].map((one) => one.id)"


def wait(firefox, expression, seconds=60):
    end = time.monotonic() + seconds
    while not firefox.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.05)
