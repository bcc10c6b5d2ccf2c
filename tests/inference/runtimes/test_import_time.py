"""Listing the supported formats does not import PyTorch's compiler, which takes seconds."""

import subprocess
import sys

SCRIPT = """
import sys
from pathlib import Path
from fullconv.export.exporters import exporters
from fullconv.inference.runtimes import is_exported, runtimes
assert list(exporters) == list(runtimes) == ["onnx", "openvino", "page", "torch_export"]
assert is_exported(Path("a.pt2")) and not is_exported(Path("a.safetensors"))
print(*[name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""


def test_listing_formats_does_not_import_the_compiler():
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
