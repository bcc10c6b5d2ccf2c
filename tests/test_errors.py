"""Optional packages, and the message where one is missing."""

import sys

import pytest

from fullconv.errors import MissingExtraError, require


def test_a_package_that_is_installed_is_imported():
    import json.decoder

    assert require("json.decoder", extra="none", what="reading") is json.decoder


@pytest.mark.parametrize("module", ["nosuch", "nosuch.part"])
def test_a_missing_package_is_named_with_its_extra(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "nosuch", None)
    message = r'^reading a.tif needs the package nosuch, .*: pip install "fullconv\[geo\]"$'
    with pytest.raises(MissingExtraError, match=message) as caught:
        require(module, extra="geo", what="reading a.tif")
    assert isinstance(caught.value, ImportError)
