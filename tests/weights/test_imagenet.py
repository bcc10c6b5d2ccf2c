import pytest
import torch

from fullconv.errors import WeightsError
from fullconv.weights.imagenet import imagenet_weights


def test_for_an_unknown_backbone_the_supported_ones_are_listed():
    with pytest.raises(WeightsError, match="vgg16"):
        imagenet_weights("vgg17")


def test_a_failed_download_is_reported_with_the_path_for_the_file(tmp_path, monkeypatch):
    def unreachable(url, target, digest, progress):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(WeightsError, match=r"no route to host.*put it at .*vgg16.*\.pth"):
        imagenet_weights("vgg16")


def test_a_downloaded_file_is_reused(tmp_path, monkeypatch):
    def download(url, target, digest, progress):
        assert url.startswith("https://") and len(digest) >= 8
        with open(target, "wb") as file:
            file.write(b"weights")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    first = imagenet_weights("vgg16")
    monkeypatch.delattr(torch.hub, "download_url_to_file")
    assert imagenet_weights("vgg16") == first and first.read_bytes() == b"weights"
