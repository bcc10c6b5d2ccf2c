import huggingface_hub
import pytest

from fullconv.errors import WeightsError
from fullconv.weights.imagenet import published_weights


def test_it_states_the_normalization_of_the_weights():
    weights = published_weights("timm_mobilenetv2_100")
    assert weights.name == "timm/mobilenetv2_100.ra_in1k/model.safetensors"
    assert weights.mean == pytest.approx((123.675, 116.28, 103.53))
    assert published_weights("tf_efficientnet_lite0").std == (127.5,) * 3


def test_a_file_in_hugging_faces_cache_is_found(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repository, name: "/a/b")
    assert str(published_weights("mobilenetv2_100").file()) == "/a/b"


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_a_failed_download_is_reported_with_its_address(error, monkeypatch):
    def fail(repository, name):
        raise error("no route to host")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(WeightsError, match=r"huggingface\.co/timm/mobilenet.*no route to host"):
        published_weights("mobilenetv2_100").download()


def test_the_real_library_without_a_server_gives_one_sentence(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    closed = "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", closed)
    with pytest.raises(WeightsError, match=r"huggingface\.co/timm/mobilenet.*refused") as caught:
        published_weights("mobilenetv2_100").megabytes()
    assert "\n" not in str(caught.value)


def test_nothing_is_downloaded_offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"HF_HUB_OFFLINE forbids downloads"):
        published_weights("mobilenetv2_100").megabytes()


def test_a_classifier_without_weights_has_none():
    assert published_weights("efficientnet_lite1") is None
    assert published_weights("vgg17") is None
