"""The cache of converted networks: bounded, checked, and made again at any time."""

import os
import shutil

import export_models
from fullconv.engines import cache


def entry(name, size=10, used=0):
    folder = cache.engine_cache() / name

    def convert(path):
        path.write_bytes(name.encode().ljust(size))
        return 1.5

    path = cache.write_graph(folder, f"net {name}", convert)
    os.utime(folder, (used, used))
    return path


def test_an_entry_is_read_back_and_listed_by_last_use(monkeypatch, tmp_path):
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    first, second = entry("a", used=1), entry("b", used=2)
    assert [item.entry.name for item in cache.list_cache()] == ["net b", "net a"]
    path, stored = cache.cached_graph(first.parent)
    assert path == first and stored.bytes == 10 and stored.converted == 1.5
    assert [item.entry.name for item in cache.list_cache()] == ["net a", "net b"], "a was used"
    second.write_bytes(b"b".ljust(10, b"x"))
    assert cache.cached_graph(second.parent) is None, "its checksum differs"
    second.unlink()
    assert cache.cached_graph(second.parent) is None
    assert cache.cached_graph(tmp_path / "none") is None
    assert cache.clear_cache() > 10 and not cache.list_cache() and cache.clear_cache() == 0


def test_the_entries_not_used_for_longest_make_room(monkeypatch, tmp_path):
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    for number, name in enumerate("abcd"):
        entry(name, size=1000, used=number)
    cache.make_room(cache.engine_cache(), keep="a", most=3600)
    assert sorted(item.folder.name for item in cache.list_cache()) == ["a", "c", "d"]
    cache.make_room(cache.engine_cache(), keep="d", most=10)
    assert [item.folder.name for item in cache.list_cache()] == ["d"], "the new one stays"


def test_the_key_follows_from_all_that_scores_depend_on():
    network = export_models.network()
    key = cache.network_key(network)
    assert key == cache.network_key(export_models.network())
    network.score_fr.bias.data[0] += 1
    assert cache.network_key(network) != key
    other = export_models.network(padding=100)
    assert cache.network_key(other) != key
    assert cache.machine_key(1) != cache.machine_key(2)


def test_damaged_entries_take_room_and_are_cleared(monkeypatch, tmp_path):
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    names = ["0" * 32, "1" * 32, "2" * 32]
    for number, name in enumerate(names):
        entry(name, size=1000, used=number)
    root = cache.engine_cache()
    (root / names[0] / cache.ENTRY).unlink()
    (root / names[1] / cache.ENTRY).write_text("{")
    (root / "mine").mkdir()
    for number, name in enumerate(names):
        os.utime(root / name, (number, number))
    assert [item.folder.name for item in cache.list_cache()] == names[2:]
    cache.make_room(root, keep=names[2], most=2300)
    assert sorted(os.listdir(root)) == [*names[1:], "mine"]
    assert cache.clear_cache() > 2000 and os.listdir(root) == ["mine"]


def test_entries_that_another_process_removes_meanwhile_do_no_harm(monkeypatch, tmp_path):
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    gone = entry("a").parent
    entry("b")
    listed = cache._folders(cache.engine_cache())
    shutil.rmtree(gone)
    monkeypatch.setattr(cache, "_folders", lambda root: listed)
    assert [item.entry.name for item in cache.list_cache()] == ["net b"]
    cache.make_room(cache.engine_cache(), keep="b", most=10**6)
    assert cache.clear_cache() > 10


def test_an_entry_whose_files_change_meanwhile_is_listed(monkeypatch, tmp_path):
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    folder = entry("a").parent
    (folder / "gone.tmp").symlink_to(tmp_path / "nowhere")  # as a file that was renamed
    assert cache.list_cache()[0].bytes > 10


def test_what_was_measured_of_a_removed_graph_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    folder = entry("a").parent
    refused = {"onnx": "ONNX Runtime cannot run it: the file does not exist"}
    measured = cache.Measured(size=(64, 64), seconds={"torch": 1.0}, refused=refused)
    cache.write_measured(folder, "machine", measured)
    assert cache.read_measured(folder, "machine") == measured
    shutil.rmtree(folder)
    cache.write_measured(folder, "machine", measured)
    assert cache.read_measured(folder, "machine") is None
