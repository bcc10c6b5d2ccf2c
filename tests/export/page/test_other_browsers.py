"""The page with a model inside, and the server's, in Firefox and in WebKit."""

import base64

import numpy as np
import pytest
from PIL import Image

import export_models
import fullconv as fc
from other_browsers import NAMES, open_session
from serving_models import make_service, open_test_models, running
from shown_pages import checksums, encoded, expected_checksums, noise, photo_files, wait_until

pytestmark = pytest.mark.slow
CHECKED = "document.documentElement.dataset.check"
BOUND = 2e-6  # of the largest score


@pytest.fixture(scope="module", params=NAMES)
def session(request, tmp_path_factory):
    with open_session(request.param, tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def photo(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("PNG", Image.fromarray(noise())))
    return tmp_path / "a.png"


def opened(session, address):
    session.open(address)
    wait_until(lambda: session.evaluate(CHECKED), 120)
    assert session.evaluate(CHECKED) == "passed"


def labels(session, photo):
    """Return the labels that the page finds for a photo's file."""
    session.choose("#files", photo)
    wait_until(lambda: session.evaluate("fullconv.queue.items[0]?.state === 'done'"))
    found = session.evaluate("fullconv.queue.items[0].editor.labels.join()")
    return np.array(found.split(","), int)


def check_labels(found, expected):
    """Check labels, except where two classes are equally probable."""
    best = np.sort(expected.probabilities, 0)
    clear = best[-1] - best[-2] > 1e-5
    assert (found.reshape(expected.labels.shape) == expected.labels)[clear].all()
    assert clear.mean() > 0.99


def test_the_page_from_a_file_passes_its_check_and_predicts(session, page, photo):
    opened(session, page.resolve().as_uri())
    check_labels(labels(session, photo), fc.load(page).predict(noise()))


def test_files_are_decoded_and_scaled_as_by_the_command_to_the_byte(session, page):
    opened(session, page.resolve().as_uri())
    for name, content in photo_files():
        assert checksums(session, content) == expected_checksums(content), name


def test_the_scores_are_those_of_onnx_runtime(session, page):
    opened(session, page.resolve().as_uri())
    run = fc.load(page).exported.run
    for height, width in ((33, 47), (64, 80), (1, 5)):
        image = export_models.batch(1, height, width)
        planes = base64.b64encode(image.tobytes()).decode()
        text = session.evaluate(f"fullconv.source.score('{planes}', {height}, {width})")
        expected = run(image)
        found = np.frombuffer(base64.b64decode(text), "<f4").reshape(expected.shape)
        assert np.abs(found - expected).max() <= BOUND * np.abs(expected).max()


def test_the_servers_page_shows_its_predictions(session, photo, tmp_path_factory):
    models = open_test_models(tmp_path_factory.mktemp("models"))
    with running(make_service(models)) as server:
        opened(session, f"{server.url}/")
        found = labels(session, photo)
    expected = models["street"].model.predict(noise()).labels
    assert (found.reshape(expected.shape) == expected).all()
