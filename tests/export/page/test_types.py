"""The types of the page's code, which are in its comments, as TypeScript checks them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from node import ASSETS
from npm import fetch

VERSION = "5.9.3"
CODE = "lib/_tsc.js"
DIGEST = "e8f349eabd48486bdb2bf9dc1a00c89d58297270c54b745838879e2859194419"
OPTIONS = (
    *("--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022"),
    *("--module", "es2022", "--moduleResolution", "bundler", "--lib", "es2024,dom,dom.iterable"),
)


@pytest.mark.slow
def test_the_types_of_the_code_fit_together(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node (apt-get install nodejs), which is not installed")
    package = fetch("typescript", VERSION, CODE, DIGEST, tmp_path)
    files = [str(path) for path in sorted(Path(str(ASSETS)).glob("*.js"))]
    command = [node, str(package / "lib" / "tsc.js"), *OPTIONS, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
