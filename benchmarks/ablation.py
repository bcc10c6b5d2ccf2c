"""What each setting of a training is worth, on photos that were held out of train.

    python benchmarks/ablation.py camvid camvid=camvid:CAMVID --hold-out 0006R0
    python benchmarks/ablation.py defaults nuclei=SETS/nuclei cracks=SETS/cfd --minutes 5

A series is a list of trainings. Each extends the settings of another one, with which it is
compared, and may continue its run. `camvid` are steps towards the model in models/camvid, with a
number of epochs; its last row has the model's settings, but for Lovász's share. `defaults` switches
the defaults of `fullconv train` off one by one, with a number of minutes. Each training is a
process of its own and is then evaluated, plain and with test-time augmentation. val is never read:
--hold-out names a part of the names of the photos that are held out of train, otherwise every fifth
one is.

A line per training is added to --results. After an interruption the same command resumes, does what
is missing, and prints the tables at the end.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from _sets import write_set

import fullconv as fc
from fullconv.export.quantize import evenly_spaced
from fullconv.io.atomic import write_text

RUNS = Path("runs/ablation")


@dataclass(frozen=True)
class Row:
    """A training of a series.

    Attributes:
        name: of what it adds.
        over: the row that it is compared with and whose settings it extends; "" for the first.
        settings: what it changes.
        expected: the gain that was expected of it, in points of mean IoU.
        start: the row whose run it starts from; "" for none.
        teach: whether that run is its teacher too.
    """

    name: str
    over: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    expected: str = ""
    start: str = ""
    teach: bool = False


FIRST: dict[str, Any] = {
    "weights": "imagenet",
    "input_scale": 1,
    "crop": [288, 384],
    "zoom": [0.75, 1.75],
    "jitter": 0.3,
    "batch": 6,
    "optimizer": "adamw",
    "lr": 0.002,
    "weight_decay": 0.01,
    "warmup": 60,
    "loss": "cross-entropy",
    "balance": "enet",
    "logit_adjust": 0.75,
    "ema": 0.998,
    "keep": "last",
}
SECOND: dict[str, Any] = {"jitter": 0.4, "lr": 0.0007}
LOVASZ = {"final_loss": "0.25*cross-entropy+0.75*lovasz", "final_loss_share": 0.5}
LITE0 = {
    "model": "fcn4s-tf_efficientnet_lite0",
    "top": "head",
    "context": 192,
    "skip_context": 48,
    "upsampling": "transposed",
}
LITE2 = {"model": "fcn4s-efficientnet_lite2", "top": "block", "context": 160}
CAMVID = (
    Row("Lite0, context on the head", settings=FIRST | LITE0),
    Row("Lite2, context on the last block", "Lite0, context on the head", LITE2, "1.0 to 1.5"),
    Row(
        "edges repeated (bilinear)",
        "Lite2, context on the last block",
        {"upsampling": "bilinear"},
        "0.1 to 0.3",
    ),
    Row(
        "cross entropy + Dice",
        "edges repeated (bilinear)",
        {"loss": "cross-entropy+0.5*dice"},
        "0.5 to 1",
    ),
    Row(
        "OHEM instead of the mean",
        "cross entropy + Dice",
        {"loss": "ohem+0.5*dice", "balance": "none", "logit_adjust": None},
    ),
    Row("pyramid pooling", "cross entropy + Dice", {"pyramid": 48}, "0.3 to 0.8"),
    Row(
        "skip at stride 2",
        "cross entropy + Dice",
        {"model": "fcn2s-efficientnet_lite2", "skip_context": [48, 48, 48, 16]},
        "about 1 on thin classes",
    ),
    Row("phase two at 1 x", "cross entropy + Dice", SECOND, "1.9 to 3.5", "cross entropy + Dice"),
    Row(
        "phase two at 1.5 x",
        "phase two at 1 x",
        {"input_scale": 1.5, "crop": [384, 512]},
        "1.5 to 2.5",
        "cross entropy + Dice",
    ),
    Row("Lovász at the end", "phase two at 1.5 x", LOVASZ, "0.3 to 0.8", "cross entropy + Dice"),
    Row(
        "teacher",
        "Lovász at the end",
        {"teacher_weight": 0.5},
        "0.3 to 0.8",
        "cross entropy + Dice",
        teach=True,
    ),
    Row(
        "the same without Dice",
        "Lovász at the end",
        {"loss": "cross-entropy"},
        start="edges repeated (bilinear)",
    ),
)
DEFAULTS = (
    Row("all defaults"),
    Row("no class weights", "all defaults", {"balance": "none"}),
    Row("plain cross entropy", "all defaults", {"loss": "cross-entropy"}),
    Row("neither", "all defaults", {"balance": "none", "loss": "cross-entropy"}),
    Row(
        "both, rare class or not",
        "all defaults",
        {"loss": "cross-entropy+0.5*dice", "balance": "enet", "logit_adjust": 0.75},
    ),
    Row("no average of the weights", "all defaults", {"ema": None}),
    Row("batch norm trained", "all defaults", {"freeze_bn": False}),
    Row("photos at their own size", "all defaults", {"input_scale": 1}),
    Row("FCN-8s", "all defaults", {"model": "fcn8s-efficientnet_lite2"}),
    Row("pyramid pooling", "all defaults", {"pyramid": 48}),
)
SERIES = {"camvid": CAMVID, "defaults": DEFAULTS}


def hold_out(name: str, source: str, part: str | None, most: int | None) -> Path:
    """Write train without some photos, which become val, as a folder that every training reads."""
    place = RUNS / "data" / name
    if (place / "val.txt").is_file():
        return place
    train = fc.open_data(source, "train")
    held = [
        index
        for index, photo in enumerate(train.names)
        if (part in photo if part else index % 5 == 4)
    ]
    kept = [index for index in range(len(train)) if index not in set(held)]
    if not held or not kept:
        sys.exit(f"error: {part!r} holds out {len(held)} of {len(train)} photos of {source}")
    if most:
        kept = [kept[index] for index in evenly_spaced(len(kept), most)]
    write_set(place, train.take(kept), train.take(held))
    return place


def settings_of(series: Sequence[Row], row: Row) -> dict[str, Any]:
    """Return the settings of a row: those of the row that it extends, and its own."""
    rows = {one.name: one for one in series}
    return (settings_of(series, rows[row.over]) if row.over else {}) | row.settings


def run_name(set_name: str, row: Row, seed: int) -> str:
    """Return the name of a row's run."""
    letters = "".join(letter if letter.isalnum() else "-" for letter in row.name.lower())
    return f"{set_name}-{letters}-{seed}"


def train(
    trial: dict[str, Any], row: Row, place: Path, amount: dict[str, Any], lite0: str | None
) -> dict[str, Any]:
    """Train a row, evaluate it and return its result."""
    series = SERIES[trial["series"]]
    chosen = settings_of(series, row) | amount | {"data": str(place.absolute())}
    chosen |= {"seed": trial["seed"]}
    if lite0 and chosen.get("model") == LITE0["model"]:
        chosen["weights"] = lite0
    if row.start:
        start = next(one for one in series if one.name == row.start)
        begun = RUNS / "train" / f"{run_name(trial['set'], start, trial['seed'])}-001"
        chosen |= {"weights": str(begun.absolute())}
        chosen |= {"teacher": str(begun.absolute())} if row.teach else {}
    name = run_name(trial["set"], row, trial["seed"])
    run = RUNS / "train" / f"{name}-001"
    config = RUNS / f"{name}.yaml"
    write_text(config, yaml.safe_dump({key: one for key, one in chosen.items() if one is not None}))
    given = ["--resume", run] if run.is_dir() else ["--config", config, "--name", name]
    command = [sys.executable, "-m", "fullconv", "train", *given, "--out", RUNS, "--quiet"]
    start_time = time.monotonic()
    subprocess.run([*map(str, command)], check=True, stdout=sys.stderr)
    minutes = (time.monotonic() - start_time) / 60
    model = fc.load(run).optimize("torch")
    data = fc.open_data(str(place), "val")
    plain, averaged = (fc.evaluate(model, data, tta=tta).confusion for tta in (False, True))
    return {
        "mean_iou": plain.mean_iou,
        "mean_iou_tta": averaged.mean_iou,
        "pixel_accuracy": plain.pixel_accuracy,
        "iou": dict(zip(data.classes, map(float, plain.iou), strict=True)),
        "minutes": minutes,
        "parameters": sum(one.numel() for one in model.network.parameters()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def tables(series: Sequence[Row], results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table per set: each row, and its gain over the row that it extends."""
    for name, amount in dict.fromkeys((one["set"], one["amount"]) for one in results):
        found = [one for one in results if (one["set"], one["amount"]) == (name, amount)]
        seeds = {row.name: [one for one in found if one["row"] == row.name] for row in series}
        classes = [*found[0]["iou"]]
        yield f"\n### {name}, {amount}\n"
        columns = ("training", "compared with", "expected", "gain", "mean IoU", "with TTA", "seeds")
        yield f"| {' | '.join((*columns, 'minutes', *classes))} |"
        yield "|---" * (len(columns) + 1 + len(classes)) + "|"
        for row in series:
            if not seeds[row.name]:
                continue
            cells = [row.name, row.over, row.expected, _gain(seeds[row.name], seeds.get(row.over))]
            cells += [_percent(seeds[row.name], key) for key in ("mean_iou", "mean_iou_tta")]
            cells += [str(len(seeds[row.name])), f"{_mean(seeds[row.name], 'minutes'):.0f}"]
            cells += [
                f"{100 * np.mean([one['iou'][label] for one in seeds[row.name]]):.1f}"
                for label in classes
            ]
            yield f"| {' | '.join(cells)} |"


def _gain(found: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]] | None) -> str:
    if not before:
        return ""
    pairs = [
        100 * (one["mean_iou"] - other["mean_iou"])
        for one in found
        for other in before
        if one["seed"] == other["seed"]
    ]
    return f"{np.mean(pairs):+.1f}" if pairs else ""


def _percent(found: Sequence[dict[str, Any]], key: str) -> str:
    return f"{100 * _mean(found, key):.1f}"


def _mean(found: Sequence[dict[str, Any]], key: str) -> float:
    return float(np.mean([one[key] for one in found]))


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("series", choices=SERIES)
    parser.add_argument("sets", nargs="+", metavar="NAME=DATA", help="data sets as for train")
    parser.add_argument("--hold-out", help="part of the names of the photos that are held out")
    parser.add_argument("--photos", type=int, help="train on so many, evenly spaced")
    parser.add_argument("--epochs", type=int, default=36, help="of each of camvid (default 36)")
    parser.add_argument("--second", type=int, default=12, help="epochs of phase two (default 12)")
    parser.add_argument("--minutes", type=float, default=5, help="of each of defaults (default 5)")
    parser.add_argument("--lite0", help="weights of EfficientNet-Lite0, if they are not at hand")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each (default 1)")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--results", type=Path, default=RUNS / "results.jsonl", help="JSON lines")
    parser.add_argument("--table-only", action="store_true", help="print the tables, run nothing")
    return parser.parse_args()


def main() -> None:
    """Run what is missing in the results, then print the tables."""
    given = parse()
    series = SERIES[given.series]
    lines = given.results.read_text().split("\n")[:-1] if given.results.is_file() else []
    results: list[dict[str, Any]] = [json.loads(line) for line in lines]
    sets = dict(text.partition("=")[::2] for text in given.sets)
    keys = ("series", "set", "row", "seed", "amount")
    done = {tuple(one[key] for key in keys) for one in results}
    named = given.series == "camvid"
    amount = f"{given.epochs} + {given.second} epochs" if named else f"{given.minutes:g} minutes"
    for seed in range(0 if given.table_only else given.seeds):
        for name, source in sets.items():
            place = hold_out(name, source, given.hold_out, given.photos)
            for row in series:
                trial = dict(zip(keys, (given.series, name, row.name, seed, amount), strict=True))
                if tuple(trial.values()) in done or (given.rows and row.name not in given.rows):
                    continue
                print("running", *trial.values(), file=sys.stderr, flush=True)
                epochs = given.second if row.start else given.epochs
                spent = {"epochs": epochs} if named else {"minutes": given.minutes}
                spent |= {"evaluate_every": epochs} if named else {}
                result = trial | train(trial, row, place, spent, given.lite0)
                results.append(result)
                given.results.parent.mkdir(parents=True, exist_ok=True)
                with given.results.open("a") as file:
                    file.write(f"{json.dumps(result)}\n")
    chosen = [one for one in results if one["series"] == given.series and one["set"] in sets]
    print("\n".join(tables(series, chosen)))


if __name__ == "__main__":
    main()
