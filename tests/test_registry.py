"""Registries: members are the files of a package, found on first use."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from fullconv._registry import Registry
from fullconv.data.formats import formats
from fullconv.errors import UnknownNameError


def test_the_files_of_the_package_are_the_members():
    assert {"folders", "camvid", "scenes"} <= set(formats)


def test_an_unknown_name_is_refused_with_the_known_names_and_a_near_one():
    with pytest.raises(UnknownNameError, match=r"expected .*folders.*; did you mean camvid\?"):
        formats["camvit"]


def test_concurrent_threads_see_every_member(tmp_path, monkeypatch):
    folder = tmp_path / "slowfamily"
    folder.mkdir()
    registry = Registry("slowfamily", "member")
    (folder / "__init__.py").write_text("")
    for name in ("first", "second"):
        (folder / f"{name}.py").write_text(
            f"import time, sharedregistry\ntime.sleep(0.05)\n"
            f"sharedregistry.registry.register({name!r})({name!r})\n"
        )
    shared = ModuleType("sharedregistry")
    shared.registry = registry
    monkeypatch.setitem(sys.modules, "sharedregistry", shared)
    monkeypatch.syspath_prepend(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: list(registry), range(4)))
    assert seen == [["first", "second"]] * 4
