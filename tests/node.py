"""Run the page's modules in node, as they are in the package."""

import base64
import json
import shutil
import subprocess
from importlib.resources import files

import numpy as np
import pytest

ASSETS = files("fullconv.export.page").joinpath("assets")

_PROGRAM = """
import {{ readFileSync }} from "node:fs";
const unpack = (value) => value?.bytes === undefined ? value
  : Array.isArray(value) ? value : new Uint8Array(Buffer.from(value.bytes, "base64"));
const given = JSON.parse(readFileSync(0, "utf8"));
for (const key of Object.keys(given)) given[key] = unpack(given[key]);
const load = (name) => import("{assets}/" + name + ".js");
const pack = (value) => ({{ bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  .toString("base64") }});
const call = async (given) => {{ {code} }};
const result = await call(given);
process.stdout.write(JSON.stringify(result ?? null,
  (key, value) => ArrayBuffer.isView(value) ? pack(value) : value));
"""


def node(code, **given):
    """Run the body of an async function with `given` and `load(module)`; return what it returns.

    Arrays are passed and returned as bytes.
    """
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs node (apt-get install nodejs), which is not installed")
    packed = {name: pack(value) for name, value in given.items()}
    text = _PROGRAM.format(assets=ASSETS, code=code)
    done = subprocess.run(
        [program, "--input-type=module", "--no-warnings", "-e", text],
        input=json.dumps(packed),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout, object_hook=unpack)


def pack(value):
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value).tobytes()
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def unpack(value):
    return base64.b64decode(value["bytes"]) if set(value) == {"bytes"} else value
