"""A folder for a repository on Hugging Face's hub: the model, its card, its metrics, a page."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fullconv._version import __version__
from fullconv.config import Size
from fullconv.errors import ConfigError, ExportError
from fullconv.export.export import export
from fullconv.export.page.runtime import is_cached
from fullconv.export.targets import Target, Wanted, Written, targets
from fullconv.export.targets._folders import check_folder
from fullconv.inference.hub import FILE
from fullconv.inference.model_file import Card, model_file, read_card
from fullconv.io.atomic import building, write_bytes, write_text
from fullconv.io.output_text import json_bytes
from fullconv.io.settings_file import to_yaml
from fullconv.io.text import read_json
from fullconv.training.run.folder import Run

LIBRARY = "fullconv"
METRICS = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
}
"""The metrics of a card, by their names in summary.json."""


def check(path: Path, size: Size | None) -> None:
    """Check the name of the folder."""
    check_folder(path, "whose content is uploaded")
    if size is not None:
        raise ConfigError("--size is not possible for a repository, whose files take any size")


def write(wanted: Wanted) -> Written:
    """Write the folder; exported files are verified before it gets its name."""
    metrics = read_metrics(wanted.source, wanted.head)
    notes: list[str] = []
    with building(wanted.path) as folder:
        if wanted.head is None:
            shutil.copyfile(model_file(wanted.source), folder / FILE)
        else:  # the other files are of this head alone
            wanted.model.save(folder / FILE)
        card = read_card(folder / FILE)
        write_bytes(folder / "config.json", json_bytes(config(card), indent=2))
        if metrics:
            write_bytes(folder / "metrics.json", json_bytes(metrics, indent=2))
        else:
            notes.append("no metrics: give the folder of a finished run to have them in the card")
        extra = _write_others(wanted, folder, notes)
        readme = model_card(wanted.path.name, card, metrics, extra)
        write_text(folder / "README.md", readme)
    notes.append("add a licence and the intended use to README.md before you publish it")
    notes.append(f"hf upload USER/{wanted.path.name} {wanted.path}")
    return Written(notes=tuple(notes))


def _write_others(wanted: Wanted, folder: Path, notes: list[str]) -> list[str]:
    """Write what other programs run, if that is possible here; return the names of the files."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        notes.append(f"no model.onnx and no page: they need {', '.join(missing)}")
        return []
    export(wanted.model, folder / "model.onnx", wanted.photos)
    if not is_cached():
        notes.append("no page (index.html): ONNX Runtime Web is not in the cache; see --runtime")
        return ["model.onnx"]
    try:
        export(wanted.model, folder / "index.html", wanted.photos)
    except ExportError as error:  # too large, or not in this machine's browser
        notes.append(f"no page (index.html): {error}")
        return ["model.onnx"]
    return ["model.onnx", "index.html"]


def config(card: Card) -> dict[str, Any]:
    """Return config.json: the model's description, without the state of its training."""
    values = card.model_dump(mode="json", exclude={"training"})
    return {"library_name": LIBRARY, "fullconv": __version__, **values}


def read_metrics(source: Path, head: str | None = None) -> dict[str, Any]:
    """Return the final metrics of a run folder; none of other sources and unfinished runs.

    Args:
        source: the folder, or another source of a model.
        head: that of the run's several heads whose metrics are wanted; None for one.
    """
    if not source.is_dir() or not Run(source).finished:
        return {}
    values = read_json(Run(source).summary)
    values = values.get("heads", {}).get(head, {}) if head else values
    names = (*METRICS, "mean_iou_interval", "per_class", "images", "split", "protocol", "data")
    kept = {name: values[name] for name in names if name in values}
    if "data" in kept:  # the folder's name alone: its path is private
        kept["data"] = Path(str(kept["data"]).rpartition(":")[2].partition("?")[0]).name
    return kept


def model_card(name: str, card: Card, metrics: dict[str, Any], files: list[str]) -> str:
    """Return README.md: metadata for the hub, and text for people.

    Args:
        name: of the model.
        card: its description.
        metrics: from `read_metrics`.
        files: further files in the folder.
    """
    return (
        f"---\n{to_yaml(card_data(name, metrics, files))}---\n\n{_text(name, card, metrics, files)}"
    )


def card_data(name: str, metrics: dict[str, Any], files: list[str]) -> dict[str, Any]:
    """Return the metadata of a card, as the hub defines it."""
    tags = ["semantic-segmentation", "fcn", *(["onnx"] if "model.onnx" in files else [])]
    data: dict[str, Any] = {
        "library_name": LIBRARY,
        "pipeline_tag": "image-segmentation",
        "tags": tags,
    }
    if metrics:
        found = [
            {"type": key, "value": metrics[key], "name": title}
            for key, title in METRICS.items()
            if isinstance(metrics.get(key), float)
        ]
        dataset = {
            "type": "custom",
            "name": str(metrics.get("data", "custom")),
            "split": str(metrics.get("split", "val")),
        }
        task = {"type": "image-segmentation", "name": "Semantic segmentation"}
        results = [{"task": task, "dataset": dataset, "metrics": found}]
        data["model-index"] = [{"name": name, "results": results}]
    return data


def _text(name: str, card: Card, metrics: dict[str, Any], files: list[str]) -> str:
    architecture = card.architecture.name
    lines = [
        f"# {name}",
        "",
        f"Semantic segmentation with a fully convolutional network ({architecture}): "
        f"{len(card.classes)} classes, {', '.join(map(_escape, card.classes))}.",
        "",
        "**Intended use:** to be filled in. **Limits:** to be filled in.",
        "",
        "```python",
        "import fullconv as fc",
        "",
        f'model = fc.load("hf://USER/{name}@REVISION")',
        'model.predict("photo.jpg").save("labels.png")',
        "```",
        "",
    ]
    descriptions = {
        "model.onnx": "`model.onnx` runs in ONNX Runtime without PyTorch",
        "index.html": "`index.html` is a page that segments photos in the browser",
    }
    known = [descriptions[file] for file in files]
    if known:
        lines += [f"{'; '.join(known)}.", ""]
    lines += ["## Metrics", ""]
    if not metrics:
        return "\n".join([*lines, "None were measured.", ""])
    split, data = metrics.get("split", "val"), metrics.get("data", "")
    lines += [
        f"On {metrics.get('images', '?')} images of the split {split} of {_escape(str(data))}; "
        f"{metrics.get('protocol', '')}. `metrics.json` has every number.",
        "",
        "| metric | % |",
        "|---|---|",
    ]
    for key, title in METRICS.items():
        value = metrics.get(key)
        lines.append(f"| {title} | {'-' if value is None else f'{100 * value:.1f}'} |")
    lines += ["", "| class | IoU % |", "|---|---|"]
    for class_name, numbers in metrics.get("per_class", {}).items():
        iou = numbers.get("iou")
        lines.append(f"| {_escape(class_name)} | {'-' if iou is None else f'{100 * iou:.1f}'} |")
    return "\n".join([*lines, ""])


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is."""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return "".join(f"\\{sign}" if sign in "\\`*_[]|#!" else sign for sign in shown)


targets.register("huggingface")(
    Target("Hugging Face: the folder of a repository, with a card", check, write)
)
