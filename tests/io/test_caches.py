"""Only what fullconv wrote is counted and removed from its cache."""

from fullconv.io.caches import cached_files, clear_cached, total_bytes


def test_files_of_the_pattern_are_counted_and_removed_with_empty_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("FULLCONV_CACHE", str(tmp_path))
    pattern = r"\d+/\w\.z"
    assert cached_files("part", pattern) == [] and clear_cached("part", pattern) == 0
    for name in ("part/1/a.z", "part/1/b.z", "part/2/a.z", "part/2/own.txt", "part/a.z", "1/a.z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"123")
    found = cached_files("part", pattern)
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["part/1/a.z", "part/1/b.z", "part/2/a.z"] and total_bytes(found) == 9
    assert clear_cached("part", pattern) == 9
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["1", "1/a.z", "part", "part/2", "part/2/own.txt", "part/a.z"]
    (tmp_path / "part/a.z").unlink()
    (tmp_path / "part/2/own.txt").rename(tmp_path / "part/2/a.z")
    assert clear_cached("part", pattern) == 3 and not (tmp_path / "part").exists()
    assert total_bytes([tmp_path / "gone"]) == 0
