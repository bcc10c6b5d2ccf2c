"""Packages that npm's client fetches for tests, checked by a hash."""

import hashlib
import shutil
import subprocess
import tarfile

import pytest

SECONDS = 120


def fetch(name, version, file, digest, folder):
    """Unpack a package into a folder; skip the test if npm is missing or cannot fetch it.

    Args:
        name: of the package.
        version: of the package.
        file: whose SHA-256 is checked, below the package's folder.
        digest: the hash.
        folder: gets the folder "package".
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"needs npm (apt-get install npm), which fetches {name}")
    command = [npm, "pack", f"{name}@{version}", "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm cannot fetch {name} {version} ({error})")
    with tarfile.open(next(folder.glob(f"{name}-*.tgz"))) as package:
        package.extractall(folder, filter="data")
    content = (folder / "package" / file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    return folder / "package"
