"""The page with a model inside, in Firefox: opened from a file, checked, one photo predicted."""

import numpy as np
import pytest
from PIL import Image

import fullconv as fc
from firefox import open_firefox
from shown_pages import encoded, noise, wait_until


@pytest.mark.slow
def test_it_works_in_firefox(page, tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("PNG", Image.fromarray(noise())))
    with open_firefox(tmp_path / "profile") as firefox:
        firefox.open(page.resolve().as_uri())
        wait_until(lambda: firefox.evaluate("document.documentElement.dataset.check"), 120)
        assert firefox.evaluate("document.documentElement.dataset.check") == "passed"
        firefox.choose("#files", tmp_path / "a.png")
        wait_until(lambda: firefox.evaluate("fullconv.queue.items[0]?.state === 'done'"))
        found = firefox.evaluate("fullconv.queue.items[0].editor.labels.join()")
    expected = fc.load(page).predict(noise())
    best = np.sort(expected.probabilities, 0)
    clear = best[-1] - best[-2] > 1e-5
    labels = np.array(found.split(","), int).reshape(expected.labels.shape)
    assert (labels == expected.labels)[clear].all() and clear.mean() > 0.99
