"""Labelling of large GeoTIFFs: `python benchmarks/rasters.py [--megapixels 1,16,100] [--kills 3]`.

For each size a GeoTIFF of random squares is drawn (400 megapixels are 20,000 x 20,000) and labelled
by a small FCN-8s in a separate process: wall and CPU seconds per megapixel, and peak memory.
`--empty` makes a share of the raster, on its right, nodata. With `--kills`, the job of the last
size is killed that many times at random times, up to `--within` seconds after each start, and
resumed; the bytes of the labels are compared.
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
    """Write a GeoTIFF of random squares, block by block; 0 is nodata."""
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
                height, width = min(BLOCK, side - top), min(BLOCK, side - blank - left)
                squares = rng.integers(1, 256, (3, 32, 32))
                block = np.kron(squares, np.ones((1, 16, 16), int))[:, :height, :width]
                file.write(block.astype(np.uint8), window=Window(left, top, width, height))


def write_model(path: Path, name: str, width: float) -> None:
    """Save an untrained network that predicts several classes."""
    torch.manual_seed(0)
    network = fc.create_model(name, len(CLASSES), width=width, hidden=32)
    for key, parameter in network.named_parameters():
        if key.startswith("score"):
            torch.nn.init.normal_(parameter, 0, 0.5 * (parameter.ndim > 1))
    fc.Model(network, CLASSES).save(path)


def label(folder: Path, name: str, memory: str, threads: int) -> None:
    """Label one raster in this process, and print time and memory."""
    torch.set_num_threads(threads)
    model = load(folder / "model.safetensors")
    start, cpu_start = time.monotonic(), time.process_time()
    last = 0.0
    for step in label_raster(
        model, folder / f"{name}.tif", folder / f"{name}.out.tif", memory=memory
    ):
        if step.note:
            print(f"  {step.note}", file=sys.stderr)
        if step.done < step.pixels:
            last = time.monotonic()
    seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = {
        "seconds": seconds,
        "cpu": time.process_time() - cpu_start,
        "writing": time.monotonic() - last if last else 0.0,
        "peak": peak,
    }
    print(json.dumps(report))


def child(folder: Path, name: str, options: argparse.Namespace) -> "subprocess.Popen[str]":
    """Start a process that labels one raster, or resumes that."""
    command = [sys.executable, __file__, "--label", name, "--folder", str(folder)]
    command += ["--memory", options.memory, "--threads", str(options.threads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measure(folder: Path, megapixels: float, options: argparse.Namespace) -> str:
    """Return one line of the table."""
    name = f"{megapixels:g}"
    draw(folder / f"{name}.tif", megapixels, options.empty)
    process = child(folder, name, options)
    output = process.communicate()[0]
    if process.returncode:
        return f"{megapixels:>10g}  failed"
    result = json.loads(output)
    wall, cpu = result["seconds"] / megapixels, result["cpu"] / megapixels
    size = (folder / f"{name}.out.tif").stat().st_size
    return (
        f"{megapixels:>10g}  {result['seconds']:>9.1f}  {wall:>11.3f}  {cpu:>15.3f}  "
        f"{result['writing']:>9.1f}  {result['peak'] / 2**30:>8.2f}  {size / 2**20:>8.1f}"
    )


def kill(folder: Path, megapixels: float, kills: int, options: argparse.Namespace) -> str:
    """Kill and resume a job, and compare the labels with those of an uninterrupted one."""
    name = f"{megapixels:g}"
    whole, target = folder / f"{name}.whole.tif", folder / f"{name}.out.tif"
    start = time.monotonic()
    if not target.exists():
        child(folder, name, options).communicate()
    seconds = time.monotonic() - start
    os.replace(target, whole)
    rng, killed = random.Random(kills), 0
    seconds = max(seconds, options.within)
    while killed < kills:
        process = child(folder, name, options)
        time.sleep(rng.uniform(1, seconds))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += 1
        if target.exists():
            break
    child(folder, name, options).communicate()
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole, target)}
    equal = "equal bytes" if len(digests) == 1 else "DIFFERENT BYTES"
    return f"{name} megapixels, killed {killed} times: {equal}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", default="1,16,100,400")
    parser.add_argument("--model", default="fcn8s-vgg11_bn")
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument(
        "--memory", default="1GiB", help="memory for the work; the peak includes torch"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--empty", type=float, default=0.0, help="share of nodata, on the right")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument(
        "--within", type=float, default=20.0, help="latest kill, in seconds after a start"
    )
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
        print("megapixels    seconds  s/megapixel  CPU s/megapixel  writing s  peak GiB  COG MiB")
        for size in sizes:
            print(measure(folder, size, options), flush=True)
        if options.kills:
            print(kill(folder, sizes[-1], options.kills, options))


if __name__ == "__main__":
    main()
