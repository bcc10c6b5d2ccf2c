"""Check pages with axe-core, which npm's client fetches."""

import hashlib
import shutil
import subprocess
import tarfile

import pytest

VERSION = "4.14.1"
SCRIPT = "package/axe.min.js"
DIGEST = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
SECONDS = 120  # for npm


def fetch_axe(folder):
    """Return the code of axe-core; skip the test if npm is missing or cannot fetch it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm (apt-get install npm), which fetches axe-core")
    command = [npm, "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm cannot fetch axe-core {VERSION} ({error})")
    with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as package:
        content = package.extractfile(SCRIPT).read()
    assert hashlib.sha256(content).hexdigest() == DIGEST
    return content.decode()


def violations(page, axe):
    """Return what axe-core finds wrong in a page: rule, help, and the elements.

    The code is evaluated by the browser's debugger, so the page's policy stays as it is.
    """
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
