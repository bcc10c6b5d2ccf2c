"""Large GeoTIFFs labelled: `python benchmarks/rasters.py [--megapixels 1,16,100] [--kills 3]`.

A GeoTIFF of random squares is drawn for each size (400 megapixels are 20,000 x 20,000) and labelled
by a small FCN-8s, each in a process of its own: seconds a megapixel, of the process's own time too,
and the most memory that it ever held. `--empty` makes a share of the raster's right side nodata.
With `--kills`, the last size is killed that many times at random moments, up to `--within` seconds
from each start, and gone on with; the labels' bytes are compared.
"""

import argparse
import hashlib
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.windows import Window

import fullconv as fc
from fullconv.batch.rasters.label import label_raster
from fullconv.model import load

CLASSES = ("water", "field", "forest", "road", "roof")
BLOCK = 512


def draw(path: Path, megapixels: float, empty: float) -> None:
    """A GeoTIFF of random squares, block by block; 0 is no data."""
    side = max(BLOCK, math.isqrt(round(megapixels * 1e6)))
    blank = round(side * empty)
    rng = np.random.default_rng(0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=3,
        dtype="uint8",
        nodata=0,
        crs="EPSG:32633",
        transform=rasterio.Affine(0.2, 0, 4e5, 0, -0.2, 5.8e6),
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        compress="deflate",
        zlevel=1,
        bigtiff="if_safer",
        sparse_ok=True,
    ) as file:
        for top in range(0, side, BLOCK):
            for left in range(0, side - blank, BLOCK):
                high, wide = min(BLOCK, side - top), min(BLOCK, side - blank - left)
                squares = rng.integers(1, 256, (3, 32, 32))
                block = np.kron(squares, np.ones((1, 16, 16), int))[:, :high, :wide]
                file.write(block.astype(np.uint8), window=Window(left, top, wide, high))


def write_model(path: Path, name: str, width: float) -> None:
    """An untrained network, whose classes nevertheless vary."""
    torch.manual_seed(0)
    network = fc.create_model(name, len(CLASSES), width=width, hidden=32)
    for key, parameter in network.named_parameters():
        if key.startswith("score"):
            torch.nn.init.normal_(parameter, 0, 0.5 * (parameter.ndim > 1))
    fc.Model(network, CLASSES).save(path)


def label(folder: Path, name: str, memory: str, threads: int) -> None:
    """Label one raster in this process, and print what it took."""
    torch.set_num_threads(threads)
    model = load(folder / "model.safetensors")
    began, used = time.monotonic(), time.process_time()
    last = 0.0
    for step in label_raster(
        model, folder / f"{name}.tif", folder / f"{name}.out.tif", memory=memory
    ):
        if step.note:
            print(f"  {step.note}", file=sys.stderr)
        if step.done < step.pixels:
            last = time.monotonic()
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = {
        "seconds": seconds,
        "own": time.process_time() - used,
        "writing": time.monotonic() - last if last else 0.0,
        "peak": peak,
    }
    print(json.dumps(report))


def child(folder: Path, name: str, options: argparse.Namespace) -> "subprocess.Popen[str]":
    """A process that labels one raster, or goes on with it."""
    command = [sys.executable, __file__, "--label", name, "--folder", str(folder)]
    command += ["--memory", options.memory, "--threads", str(options.threads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measure(folder: Path, megapixels: float, options: argparse.Namespace) -> str:
    """One line of the table."""
    name = f"{megapixels:g}"
    draw(folder / f"{name}.tif", megapixels, options.empty)
    process = child(folder, name, options)
    said = process.communicate()[0]
    if process.returncode:
        return f"{megapixels:>10g}  failed"
    found = json.loads(said)
    each, own = found["seconds"] / megapixels, found["own"] / megapixels
    size = (folder / f"{name}.out.tif").stat().st_size
    return (
        f"{megapixels:>10g}  {found['seconds']:>9.1f}  {each:>13.3f}  {own:>13.3f}  "
        f"{found['writing']:>9.1f}  {found['peak'] / 2**30:>8.2f}  {size / 2**20:>8.1f}"
    )


def kill(folder: Path, megapixels: float, kills: int, options: argparse.Namespace) -> str:
    """How many kills were survived to the same bytes."""
    name = f"{megapixels:g}"
    whole, target = folder / f"{name}.whole.tif", folder / f"{name}.out.tif"
    began = time.monotonic()
    if not target.exists():
        child(folder, name, options).communicate()
    seconds = time.monotonic() - began
    os.replace(target, whole)
    draw_moment, happened = random.Random(kills), 0
    seconds = max(seconds, options.within)
    while happened < kills:
        process = child(folder, name, options)
        time.sleep(draw_moment.uniform(1, seconds))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        happened += 1
        if target.exists():
            break
    child(folder, name, options).communicate()
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole, target)}
    equal = "the same bytes" if len(digests) == 1 else "OTHER BYTES"
    return f"{name} megapixels, killed {happened} times: {equal}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", default="1,16,100,400")
    parser.add_argument("--model", default="fcn8s-vgg11_bn")
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--memory", default="1GiB", help="for the work; the peak has torch too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--empty", type=float, default=0.0, help="share of nodata, on the right")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--within", type=float, default=20.0, help="seconds to the latest kill")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--label", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.label:
        label(options.folder, options.label, options.memory, options.threads)
        return
    sizes = [float(size) for size in options.megapixels.split(",")]
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        write_model(folder / "model.safetensors", options.model, options.width)
        print(
            f"{options.model} of width {options.width:g}, {options.threads} thread(s), "
            f"{options.empty:.0%} nodata, --memory {options.memory}"
        )
        print("megapixels    seconds  s/megapixel  own s/megapixel  writing s  peak GiB  COG MiB")
        for size in sizes:
            print(measure(folder, size, options), flush=True)
        if options.kills:
            print(kill(folder, sizes[-1], options.kills, options))


if __name__ == "__main__":
    main()
