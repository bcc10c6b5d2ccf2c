"""Every chamber opens in Firefox and WebKit, with PyTorch's numbers."""

import json
import time

import numpy as np
import pytest
import torch

from fullconv.explain.skips import skip_contributions
from microscopes import CHAMBERS, EXACT, batch, convolved, difference, model, photo, write_page
from other_browsers import NAMES, open_session

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NAMES)
def test_every_chamber_opens(name, tmp_path):
    made, image = model(), photo()
    page = write_page(tmp_path / "microscope.html", made, image)
    x, kernel = torch.randn(2, 3).tolist(), torch.randn(4, 4).tolist()
    with open_session(name, tmp_path) as session:
        session.open(page.as_uri())
        wait(session, "document.documentElement.dataset.state === 'ready'")
        for chamber in CHAMBERS:
            session.evaluate(f"void (location.hash = {json.dumps(chamber)})")
            wait(session, f"document.getElementById('{chamber}').dataset.ready === 'true'")
            assert session.evaluate(SHOWN) == [chamber]
        assert session.evaluate("document.getElementById('problem').textContent") == ""
        given = json.dumps({"input": x, "kernel": kernel, "stride": 2})
        views = session.evaluate(f"microscope.values('transposed', {given})")
        parts = session.evaluate("microscope.values('skips', {})")["parts"]
    assert all(difference(view, convolved(x, kernel, 2)) < EXACT for view in views.values())
    for part, expected in zip(parts, skip_contributions(made.network, batch(image)), strict=True):
        assert difference(np.array(part), expected.score) < EXACT


SHOWN = "[...document.querySelectorAll('main section:not([hidden])')].map((one) => one.id)"


def wait(session, expression, seconds=60):
    end = time.monotonic() + seconds
    while not session.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.05)
