"""ONNX Runtime Web comes from a folder, the cache or npm, and is used only if it is known."""

import hashlib
import io
import tarfile

import pytest

from fullconv.errors import ConfigError, ExportError
from fullconv.export.page import runtime

CONTENT = {
    runtime.SCRIPT: b"var a=1,b=import.meta.url;'</script>';export{a as One,b as env};\n//# map\n",
    runtime.WASM: b"\0asm",
}


@pytest.fixture(autouse=True)
def known(monkeypatch, tmp_path):
    """Small files that count as the known ones, and an empty cache."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    monkeypatch.setattr(runtime, "FILES", digests)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime, "read_notices", lambda: "notices")


def write(folder, content=CONTENT):
    folder.mkdir(parents=True)
    for name, bytes_ in content.items():
        (folder / name).write_bytes(bytes_)
    return folder


@pytest.mark.parametrize("below", [".", "dist", "package/dist"])
def test_a_folder_fills_the_cache(below, tmp_path):
    write(tmp_path / "given" / below)
    runtime.store(tmp_path / "given")
    found = runtime.web_runtime()
    assert found.wasm == CONTENT[runtime.WASM] and found.notices == "notices"


def test_other_files_are_refused(tmp_path):
    folder = write(tmp_path / "given", CONTENT | {runtime.WASM: b"other"})
    with pytest.raises(ConfigError, match=r"wasm is not the file of onnxruntime-web 1\.30\.0"):
        runtime.store(folder)
    (folder / runtime.WASM).unlink()
    with pytest.raises(ConfigError, match=r"has no ort-wasm-simd-threaded\.wasm; expected"):
        runtime.store(folder)


def test_a_changed_cache_is_not_used(tmp_path, monkeypatch):
    runtime.store(write(tmp_path / "given"))
    (runtime.cache_folder() / runtime.WASM).write_bytes(b"other")
    monkeypatch.setattr(runtime.shutil, "which", lambda name: None)
    with pytest.raises(ExportError, match="npm is not installed; run `npm pack"):
        runtime.web_runtime()


def test_npm_is_not_asked_offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(runtime.shutil, "which", lambda name: "/bin/false")
    with pytest.raises(ExportError, match="HF_HUB_OFFLINE forbids downloads"):
        runtime.web_runtime()


def fake_npm(tmp_path, monkeypatch, script):
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setattr(runtime.shutil, "which", lambda name: str(npm))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def test_npm_fills_an_empty_cache(tmp_path, monkeypatch):
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as archive:
        for name, content in {**CONTENT, "evil": b"x"}.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    fake_npm(tmp_path, monkeypatch, f'cp {tmp_path / "made.tgz"} "$5"')
    assert runtime.web_runtime().wasm == CONTENT[runtime.WASM]
    assert sorted(path.name for path in runtime.cache_folder().iterdir()) == sorted(CONTENT)


def test_what_npm_reports_is_shown(tmp_path, monkeypatch):
    fake_npm(tmp_path, monkeypatch, "echo 'npm error network' >&2; exit 1")
    with pytest.raises(ExportError, match=r"npm cannot fetch .* \(npm error network\); run"):
        runtime.web_runtime()


def test_the_module_becomes_a_classic_script():
    script = runtime.to_classic_script(CONTENT[runtime.SCRIPT].decode())
    assert script == (
        "(() => {\nvar a=1,b=self.location.href;'<\\/script>';self.ort={One:a,env:b};\n})();"
    )
    with pytest.raises(ExportError, match="has not the form that is known"):
        runtime.to_classic_script("var a;")
