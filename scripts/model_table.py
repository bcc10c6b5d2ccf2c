"""Derive the numbers of models/*/model.json and the table of models/README.md from the files.

    python scripts/model_table.py                        # write them
    python scripts/model_table.py --check                # exit with 1 if one is not up to date
    python scripts/model_table.py --speed NAME bench.json
        # take the milliseconds from `fullconv bench MODEL [INT8] --json bench.json`

What a model is, its data, licence and commands are written by hand in its model.json; network,
size, SHA-256, accuracy and protocol come from its file and its metrics.json.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from fullconv.inference.exported_file import open_exported
from fullconv.inference.model_file import read_card
from fullconv.inference.runtimes import is_exported
from fullconv.inference.shelf import DESCRIPTION, ShelfModel, Speed

MODELS = Path(__file__).parents[1] / "models"
START, END = "<!-- The table: python scripts/model_table.py -->\n", "<!-- End of the table -->\n"
TITLES = (
    *("name", "network", "trained on", "licence", "mean IoU, evaluated on", "MB"),
    *("ms per photo, float32", "int8", "how to reproduce it"),
)


def described(folder: Path) -> ShelfModel:
    """Return the description of a model, its derived parts from the files."""
    written = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    file = folder / written["file"]
    content = file.read_bytes()
    card = open_exported(file).description if is_exported(file) else read_card(file)
    metrics = json.loads((folder / "metrics.json").read_text())[written["evaluated"]]
    derived = {
        "name": folder.name,
        "network": card.architecture.name,
        "classes": len(card.classes),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "mean_iou": round(metrics["mean_iou"], 6),
        "images": metrics["images"],
        "protocol": metrics["protocol"],
    }
    return ShelfModel.checked(**written | derived)


def as_text(model: ShelfModel) -> str:
    """Return the content of a model.json; the name is that of its folder."""
    return json.dumps(model.model_dump(mode="json", exclude={"name"}), indent=2) + "\n"


def table(models: list[ShelfModel]) -> str:
    """Return the Markdown table of the models."""
    lines = [TITLES, ("---",) * len(TITLES), *map(_row, models)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _row(model: ShelfModel) -> tuple[str, ...]:
    speed = model.speed
    split = f"{model.evaluated}, {model.images} images"
    note = f" ({model.note})" if model.note else ""
    return (
        f"[`{model.name}`]({model.name}/README.md)",
        f"`{model.network}`",
        model.data,
        model.licence,
        f"{100 * model.mean_iou:.1f} on {split}{note}",
        f"{model.bytes / 1e6:.1f}",
        f"{speed.float32:.0f}" if speed else "not measured",
        f"{speed.int8:.0f}" if speed and speed.int8 else "not measured",
        model.reproduce,
    )


def measured(bench: Path) -> Speed:
    """Return the fastest engines of a benchmark in float32 and int8."""
    (result,) = json.loads(bench.read_text())["sizes"]
    fastest: dict[str, float] = {}
    for row in result["rows"]:
        seconds = row["seconds"]["median"]
        fastest[row["precision"]] = min(seconds, fastest.get(row["precision"], seconds))
    milliseconds = {name: round(1e3 * seconds, 1) for name, seconds in fastest.items()}
    return Speed(
        size=tuple(result["size"]),
        threads=result["threads"],
        processor=result["machine"]["processor"],
        float32=milliseconds["fp32"],
        int8=milliseconds.get("int8"),
    )


def pages(speed: tuple[str, Speed] | None = None) -> dict[Path, str]:
    """Return the content of every file that is written."""
    result, models = {}, []
    for path in sorted(MODELS.glob(f"*/{DESCRIPTION}")):
        model = described(path.parent)
        if speed and speed[0] == model.name:
            model = model.model_copy(update={"speed": speed[1]})
        models.append(model)
        result[path] = as_text(model)
    readme = MODELS / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    result[readme] = f"{before}{START}{table(models)}{END}{after}"
    return result


def stale() -> list[str]:
    """Return the files that are not up to date."""
    return [str(path) for path, text in pages().items() if path.read_text("utf-8") != text]


def main() -> None:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--speed", nargs=2, metavar=("NAME", "JSON"), help="see above")
    given: Any = parser.parse_args()
    if given.check:
        found = stale()
        sys.exit(f"not up to date: {', '.join(found)}" if found else 0)
    speed = (given.speed[0], measured(Path(given.speed[1]))) if given.speed else None
    for path, text in pages(speed).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
