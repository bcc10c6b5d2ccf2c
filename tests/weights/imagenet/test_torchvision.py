import pytest
import torch

from fullconv.errors import WeightsError
from fullconv.weights.imagenet import published_weights


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints"


def test_a_failed_download_is_reported_with_the_path_for_the_file(cache, monkeypatch):
    def unreachable(url, target, digest, progress):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(WeightsError, match=r"no route to host.*put it at .*vgg16.*\.pth"):
        published_weights("vgg16").download()


def test_a_downloaded_file_is_reused(cache, monkeypatch):
    def download(url, target, digest, progress):
        assert url.startswith("https://") and len(digest) >= 8
        with open(target, "wb") as file:
            file.write(b"weights")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    weights = published_weights("torchvision_resnet18")
    assert weights.file() is None and weights.megabytes() == pytest.approx(44.7, abs=0.1)
    assert weights.download() == weights.file() and weights.file().read_bytes() == b"weights"


def test_nothing_is_downloaded_offline(cache, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"HF_HUB_OFFLINE forbids downloads"):
        published_weights("resnet18").download()
    assert not cache.exists()


def test_our_alexnet_is_caffes_so_torchvisions_weights_are_not_its():
    assert published_weights("alexnet") is None
    assert published_weights("torchvision_alexnet") is not None
