"""Nobody waits for PyTorch's compiler who opens no file that needs it."""

import subprocess
import sys

ASKED = """
import sys
from pathlib import Path
from fullconv.export.exported import is_exported
from fullconv.export.exporters import exporters
assert list(exporters) == ["onnx", "openvino", "program"]
assert is_exported(Path("a.pt2")) and not is_exported(Path("a.safetensors"))
print(*[name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""


def test_listing_the_kinds_of_files_imports_no_compiler():
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
