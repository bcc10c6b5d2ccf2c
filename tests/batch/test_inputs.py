"""Paths, folders, patterns, lists, manifests and URLs are resolved to inputs."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from fullconv.batch.inputs import resolve_inputs
from fullconv.errors import ConfigError, ImageError
from fullconv.io.images import write_image
from fullconv.training.run.folder import create_run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "new/b.JPG", "new/deep/c.tif", "new/ä ö.png"):
        path = Path(name)
        write_image(path.with_suffix(".png"), np.zeros((2, 2, 3), np.uint8))
        path.with_suffix(".png").rename(path)
    Path("new/notes.txt").write_text("no photo")
    return tmp_path


def ids(*sources, **options):
    return [item.id for item in resolve_inputs(sources, **options)]


def test_folders_patterns_and_photos_give_each_photo_once(folder):
    assert ids("new") == ["new/b.JPG", "new/deep/c.tif", "new/ä ö.png"]
    assert ids("./a.png", "a.png", "new/../a.png") == ["a.png"]
    assert ids("new/*.JPG", "*.png") == ["new/b.JPG", "a.png"]
    assert ids("new/**/*.tif") == ["new/deep/c.tif"]
    assert ids(f"file://{folder}/a.png") == [str(folder / "a.png")]


def test_hidden_files_are_skipped_unless_named(folder):
    for name in ("new/.cache/x.png", "new/._b.JPG"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(Path("a.png").read_bytes())
    assert ids("new") == ["new/b.JPG", "new/deep/c.tif", "new/ä ö.png"]
    assert ids("new/._b.JPG", "new/.cache") == ["new/._b.JPG", "new/.cache/x.png"]


def test_thumbnails_and_rests_of_archives_are_skipped(folder):
    before = ids("new")
    for name in ("@eaDir/b.JPG/SYNOPHOTO_THUMB_M.jpg", "__MACOSX/new/b.png", "Thumbs.db/x.png"):
        Path("new", name).parent.mkdir(parents=True)
        Path("new", name).write_bytes(b"x")
    assert ids("new") == before and ids("new/__MACOSX/new/b.png") == ["new/__MACOSX/new/b.png"]


def test_hidden_files_below_urls_are_skipped_unless_named():
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec, the extra [storage]")
    system = fsspec.filesystem("memory")
    try:
        for name in ("/s/a.png", "/s/._a.png", "/s/.cache/b.png", "/s/__MACOSX/._a.png"):
            with system.open(name, "wb") as file:
                file.write(b"x")
        assert ids("memory://s") == ["memory:///s/a.png"]
        assert ids("memory://s/.cache") == ["memory:///s/.cache/b.png"]
        assert ids("memory://s/._a.png") == ["memory://s/._a.png"]
    finally:
        system.rm("/s", recursive=True)


def test_videos_in_a_folder_are_recognized_by_content(folder):
    Path("new/film.MOV").write_bytes(b"\0\0\0\x14ftypqt  ")
    Path("new/program.ts").write_text("export const film = 1;")
    Path("new/film.json").write_text("{}")
    assert ids("new") == ["new/b.JPG", "new/deep/c.tif", "new/film.MOV", "new/ä ö.png"]


def test_an_existing_file_is_not_read_as_a_pattern(folder):
    Path("a.png").rename("a[1].png")
    assert ids("a[1].png") == ["a[1].png"]


def test_lists_are_read_line_by_line(folder, monkeypatch):
    Path("new/list.txt").write_text("# photos\n\na.png\nb.JPG\nlost.png\nmemory://x/y.png\n")
    assert ids("@new/list.txt") == ["a.png", "new/b.JPG", "lost.png", "memory://x/y.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO("a.png\n"))
    assert ids("@-") == ["a.png"]


def test_manifests_give_ids_and_paths(folder):
    rows = [{"id": 7, "path": "new/b.JPG"}, {"id": "x", "url": "https://a/b.png", "more": 1}]
    Path("list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = resolve_inputs(["list.jsonl"])
    assert [(item.id, item.where) for item in found] == [
        ("7", "new/b.JPG"),
        ("x", "https://a/b.png"),
    ]


@pytest.mark.parametrize("line", ["{", "7", '{"id": 1}', '{"path": 5}', '{"id": [], "path": "a"}'])
def test_an_invalid_line_of_a_manifest_is_named(folder, line):
    Path("list.jsonl").write_text('{"path": "a.png"}\n' + line)
    with pytest.raises(ConfigError, match=r"list.jsonl, line 2: expected"):
        resolve_inputs(["list.jsonl"])


def test_a_duplicate_id_is_refused(folder):
    Path("list.jsonl").write_text('{"id": 1, "path": "a.png"}\n{"id": 1, "path": "b.png"}')
    with pytest.raises(ConfigError, match=r"two inputs have the id '1': .*a.png and .*b.png"):
        resolve_inputs(["list.jsonl"])


def test_pictures_of_runs_are_not_inputs_unless_named(folder):
    run = create_run(Path("new/runs"), "train", "photos").folder
    write_image(run / "curves.png", np.zeros((2, 2, 3), np.uint8))
    assert ids("new") == ["new/b.JPG", "new/deep/c.tif", "new/ä ö.png"]
    assert ids(str(run)) == ["new/runs/train/photos-001/curves.png"]


def test_output_folders_are_not_inputs(folder):
    for out in ("new/out", "new/older"):
        write_image(Path(out, "overlay/a.jpg"), np.zeros((2, 2, 3), np.uint8))
    Path("new/older/predict-0-of-2.json").write_text("{}")
    assert ids("new", outside="new/out") == ["new/b.JPG", "new/deep/c.tif", "new/ä ö.png"]
    assert ids("new/older/overlay") == ["new/older/overlay/a.jpg"], "unless they are named"


@pytest.mark.parametrize("source", ["lost.png", "lost/", "lost/*.png", "@lost.txt", "empty"])
def test_a_missing_source_is_named(folder, source):
    Path("empty").mkdir()
    with pytest.raises((ImageError, ConfigError), match=source.strip("@/").replace("*", r"\*")):
        resolve_inputs([source])


def test_urls_of_photos_patterns_and_folders():
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name in ("/in/a.png", "/in/b/c.jpg", "/in/notes.txt"):
        memory.pipe_file(name, b"")
    try:
        assert ids("memory://in") == ["memory:///in/a.png", "memory:///in/b/c.jpg"]
        assert ids("memory://in/*.png") == ["memory:///in/a.png"]
        assert ids("memory://out/x.png") == ["memory://out/x.png"], (
            "a single photo is not looked up"
        )
        assert ids("https://nowhere.invalid/photo?id=3") == ["https://nowhere.invalid/photo?id=3"]
        with pytest.raises(ImageError, match="no photo found"):
            resolve_inputs(["memory://nothing"])
        with pytest.raises(ConfigError, match="nosuch"):
            resolve_inputs(["nosuch://in"])
    finally:
        memory.rm("/in", recursive=True)
