"""One file of a given revision is read from the hub, and a message says what is missing."""

import huggingface_hub
import pytest
from huggingface_hub import errors

import export_models
import fullconv as fc
from fullconv.errors import WeightsError
from fullconv.inference.hub import is_hub, parse_hub
from fullconv.inference.model_file import model_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A hub with one repository, and what it was asked for."""
    export_models.model().save(tmp_path / "model.safetensors")
    calls = []

    def download(*args, **options):
        calls.append((args, options))
        return str(tmp_path / "model.safetensors")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return calls


@pytest.mark.parametrize("revision", [COMMIT, "v1.0", "refs/pr/1"])
def test_one_file_of_the_revision_is_read(asked, revision):
    model = fc.load(f"hf://someone/street@{revision}")
    assert model.classes == export_models.CLASSES
    assert asked == [(("someone/street", "model.safetensors"), {"revision": revision})]


def test_a_path_with_one_slash_is_the_same(asked, tmp_path):
    assert model_file(tmp_path.__class__(f"hf://a/b@{COMMIT}")).name == "model.safetensors"
    assert is_hub("hf:/a/b@c") and is_hub("hf://a/b") and not is_hub("hf/a/b@c")


@pytest.mark.parametrize(
    "text",
    [
        "a/b",
        "a/b@",
        "a@v1",
        "a/b/c@v1",
        "../b@v1 ",
        "a/b@v 1",
        "a/b@v1\n",
        "@",
        "a/b@v1?x=1",
        "/a@b",
    ],
)
def test_other_forms_are_refused(asked, text):
    with pytest.raises(WeightsError, match="expected hf://USER/REPOSITORY@REVISION"):
        fc.load(f"hf://{text}")
    assert not asked


def test_repository_and_revision():
    assert parse_hub("hf://a-b/c.d@v1") == ("a-b/c.d", "v1")


def response():
    import httpx2

    return httpx2.Response(404, request=httpx2.Request("GET", "https://hub.example"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: errors.LocalEntryNotFoundError("x"), "not in the cache"),
        (lambda: errors.OfflineModeIsEnabled("x"), "not in the cache"),
        (lambda: ConnectionError("x"), "cannot be reached"),
        (lambda: TimeoutError("x"), "cannot be reached"),
        (lambda: errors.HFValidationError("the name is bad"), "the name is bad"),
        (lambda: errors.RepositoryNotFoundError("x", response=response()), "no such repository"),
        (lambda: errors.RevisionNotFoundError("x", response=response()), "no revision 'v1'"),
        (lambda: errors.RemoteEntryNotFoundError("x", response=response()), "no model.safetensors"),
    ],
)
def test_what_is_missing_is_said(monkeypatch, make, message):
    def fail(*args, **options):
        raise make()

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match=message) as error:
        fc.load("hf://a/b@v1")
    assert "hf://a/b@v1" in str(error.value)


def test_the_real_library_without_network_gives_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="not in the cache, and the hub cannot be reached"):
        fc.load(f"hf://someone/street@{COMMIT}")
