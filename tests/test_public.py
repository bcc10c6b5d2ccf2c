"""What users import, and how long it takes."""

import subprocess
import sys

import fullconv


def test_every_public_name_is_there():
    for name in fullconv.__all__:
        assert getattr(fullconv, name) is not None
    assert {"create_model", "load", "train", "evaluate", "open_data"} <= set(dir(fullconv))


def test_every_public_module_is_there():
    expected = {"backbones", "batch", "formats", "geometry", "images", "losses", "metrics"}
    assert expected | {"operations", "palettes", "weights"} <= set(dir(fullconv))
    for name in dir(fullconv):
        assert getattr(fullconv, name) is not None
    assert fullconv.weights.load_weights is fullconv.load_weights
    assert callable(fullconv.palettes.overlay) and callable(fullconv.operations.bilinear)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_importing_does_not_import_torch():
    assert run("import fullconv, sys; print('torch' in sys.modules)").stdout == "False\n"


def test_help_does_not_import_torch():
    code = (
        "import sys\nfrom fullconv.cli import run\n"
        "assert run(['--help']) == 0 and run(['train', '--help']) == 0\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    assert run(code).stdout.endswith("False False\n")
