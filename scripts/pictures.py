"""Draw the pictures of the README: docs/pictures/*.webp.

    python scripts/pictures.py [--runs FOLDER]      # `make pictures` does so; about 3 minutes

Runs `fullconv demo`, unless FOLDER has its run already, draws photo, ground truth and prediction of
held-out photos, and takes a screenshot of the report (this needs Chromium, and is omitted without
it).
"""

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

import fullconv as fc
from fullconv.evaluation.report.gallery import GallerySample, draw_comparison

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
NAMES = ("243443ae303c", "337b6eed0726", "5ef4442e5b8b")  # of held-out photos
GREY = (128, 128, 128)  # a frame that is seen on white and on black
MAX_BYTES = 150_000


def main() -> None:
    """Run the demo if it is missing, then draw every picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "pictures")
    runs = parser.parse_args().runs.resolve()
    folder = runs / "train" / "demo-001"
    if not (folder / "summary.json").exists():
        command = [sys.executable, "-m", "fullconv", "demo", f"--out={runs}"]
        subprocess.run(command, check=True, cwd=ROOT)
    PICTURES.mkdir(exist_ok=True)
    save(examples(folder), PICTURES / "predictions.webp")
    screenshot(folder / "report.html", PICTURES / "report.webp")


def examples(run: Path) -> Image.Image:
    """Draw photo, ground truth and prediction of some held-out photos."""
    model = fc.load(run)
    data = fc.open_data("samples:nuclei", split="val")
    rows = []
    for sample in data.take([data.names.index(name) for name in NAMES]):
        labels = model.predict(sample.image).labels
        rows.append(GallerySample(sample.name, sample.image, sample.labels, labels, math.nan))
    return Image.fromarray(draw_comparison(rows, model.classes, model.palette))


def screenshot(page: Path, path: Path) -> None:
    """Save the top of an HTML page as a picture, if Chromium is installed."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print(f"Chromium is not installed, so {path.name} stays as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.png")
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,760"]
        profile = f"--user-data-dir={folder}/profile"
        subprocess.run(
            [browser, *options, profile, f"--screenshot={file}", page.resolve().as_uri()],
            check=True,
            capture_output=True,
        )
        with Image.open(file) as picture:
            framed = ImageOps.expand(picture.convert("RGB"), 2, GREY)
            save(framed, path)


def save(picture: Image.Image, path: Path) -> None:
    """Write a WebP file of at most MAX_BYTES, lossless if it fits."""
    picture.save(path, lossless=True, method=6)
    quality = 90
    while path.stat().st_size > MAX_BYTES:
        picture.save(path, quality=quality, method=6)
        quality -= 10
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
