"""Draw the pictures of the README, from data in this repository: docs/pictures/*.webp.

    python scripts/pictures.py [--runs FOLDER]      # `make pictures` does so; about 15 minutes

Trains two small models (drawn street scenes; the microscopy images in docs/examples/nuclei), unless
FOLDER has them already, draws photo, ground truth and prediction side by side, and takes a
screenshot of the report (this needs Chromium, and is omitted without it).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

import fullconv as fc

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
NUCLEI = "docs/examples/nuclei"
SETTINGS = """--model=fcn4s-vgg13_bn --width=0.25 --hidden=64 --epochs=150 --crop=192x192
    --batch=4 --lr=0.004 --warmup=20 --set=rotate=180 --set=evaluate_every=15 --set=ema=0.99
    --set=jitter=0.3"""
COLUMNS = ("photo", "ground truth", "prediction")
WIDTH, GAP, CAPTION = 320, 8, 28
GREY = (128, 128, 128, 255)  # readable on white and on black
MAX_BYTES = 150_000


def main() -> None:
    """Train what is missing, then draw every picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "pictures")
    runs = parser.parse_args().runs.resolve()
    demo = trained(runs, "demo", ["demo"])
    nuclei = trained(runs, "nuclei", ["train", NUCLEI, "--name=nuclei", *SETTINGS.split()])
    PICTURES.mkdir(exist_ok=True)
    rows = [
        *examples(demo, "scenes:200", "test", ["scene-1000003"]),
        *examples(nuclei, str(ROOT / NUCLEI), "val", ["442c4eb01856"]),
    ]
    save(strip(rows), PICTURES / "predictions.webp")
    screenshot(demo / "report.html", PICTURES / "report.webp")


def trained(runs: Path, name: str, command: list[str]) -> Path:
    """Return the run folder of a model, training it first if there is none."""
    folder = runs / "train" / f"{name}-001"
    if not (folder / "summary.json").exists():
        fullconv = [sys.executable, "-m", "fullconv"]
        resume = ["--resume=auto"] if command[0] == "train" else []
        subprocess.run([*fullconv, *command, *resume, f"--out={runs}"], check=True, cwd=ROOT)
    return folder


def examples(run: Path, source: str, split: str, names: list[str]) -> Iterator[list[np.ndarray]]:
    """Yield photo, ground truth and prediction of some images as RGB arrays."""
    model = fc.load(run)
    data = fc.open_data(source, split=split)
    palette = np.array([*data.palette, *[(0, 0, 0)] * (256 - len(data.palette))], np.uint8)
    for name in names:
        sample = data[data.names.index(name)]
        predicted = model.predict(sample.image).labels
        yield [sample.image, palette[sample.labels], palette[predicted]]


def strip(rows: list[list[np.ndarray]]) -> Image.Image:
    """Return the rows below each other, under the columns' names, on a transparent ground."""
    scaled = [[enlarge(image) for image in row] for row in rows]
    height = CAPTION + sum(row[0].height for row in scaled) + GAP * (len(rows) - 1)
    picture = Image.new("RGBA", (3 * WIDTH + 2 * GAP, height))
    draw = ImageDraw.Draw(picture)
    for column, title in enumerate(COLUMNS):
        draw.text((column * (WIDTH + GAP), 0), title, GREY, ImageFont.load_default(20))
    top = CAPTION
    for row in scaled:
        for column, image in enumerate(row):
            picture.paste(image, (column * (WIDTH + GAP), top))
        top += row[0].height + GAP
    return picture


def enlarge(array: np.ndarray) -> Image.Image:
    """Return an RGB array as a picture of the columns' width, its pixels kept sharp."""
    height = round(array.shape[0] * WIDTH / array.shape[1])
    return Image.fromarray(array).resize((WIDTH, height), Image.Resampling.NEAREST)


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
            framed = ImageOps.expand(picture.convert("RGB"), 2, GREY[:3])
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
