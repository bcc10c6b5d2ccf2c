"""A whole run: train, evaluate after every epoch, keep the best, and write the report."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fullconv import __version__
from fullconv.config import RunConfig
from fullconv.errors import DataError
from fullconv.evaluation import Evaluation, evaluate, score_each, summarise
from fullconv.formats import open_data
from fullconv.gallery import Picture
from fullconv.metrics import Confusion, percent
from fullconv.model import Model, load
from fullconv.report import Story, write_report
from fullconv.run import Run
from fullconv.sample import Data
from fullconv.training import Step, Training, new_model
from fullconv.transforms import fit

SAVE_SECONDS = 300.0  # a kill costs at most this much work
GALLERY = 6
LARGEST = 640 * 640  # pixels of a typical photo above which photos are scaled down
WORKING = (512, 512)  # what they are then fitted into
NO_SPLIT = "no val split, so measured on the training photos"


@dataclass(frozen=True)
class Epoch:
    """What an epoch brought.

    Attributes:
        number: from 1.
        epochs: how many there will be.
        row: its line of results.csv.
        best: the highest mean IU so far, and the epoch it came from.
        seconds: of this epoch, training and evaluation.
        left: seconds to the end, as estimated from this epoch.
    """

    number: int
    epochs: int
    row: dict[str, float]
    best: tuple[float, int]
    seconds: float
    left: float


class Experiment:
    """One run: its data, its training, and from `enter` on its folder.

    Args:
        config: all settings; what they leave open is decided from the data.
    """

    run: Run

    def __init__(self, config: RunConfig) -> None:
        self.train = open_data(config.data, "train")
        self.val, self.split_note = validation(config.data, self.train)
        self.config = resolved(config, self.train)
        self.training = Training(new_model(self.config, self.train), self.train, self.config)
        self.best = (float("-inf"), 0)  # mean IU, and the epoch it came from
        self.losses = (0.0, 0)  # sum and count of this epoch's, for its row
        self.rows: list[dict[str, float]] = []

    def enter(self, run: Run) -> None:
        """Work in this folder; if it holds a checkpoint, the run goes on exactly there."""
        self.run = run
        run.clean()
        if run.last.is_file():
            self._restore()
        else:
            run.write_config(self.config.model_dump(mode="json"))

    @property
    def model(self) -> Model:
        """The model in training."""
        return self.training.model

    @property
    def epochs(self) -> int:
        """Epochs in all; the last may be cut short by `steps`."""
        return math.ceil(self.training.steps / self.training.epoch_steps)

    def events(self) -> Iterator[Step | Epoch]:
        """Train to the end; every step, and after the last of an epoch its evaluation."""
        began = saved = time.monotonic()
        for step in self.training.run():
            self.losses = (self.losses[0] + step.loss, self.losses[1] + 1)
            yield step
            if step.ends_epoch:
                yield self._end_epoch(step, began)
                began = saved = time.monotonic()
            elif time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()

    def save(self) -> None:
        """Write the checkpoint that `--resume` goes on from."""
        best, epoch = self.best
        self.training.save(
            self.run.last,
            best_mean_iu=best if epoch else None,
            best_epoch=epoch,
            epoch_losses=self.losses,
            seed=self.config.seed,
        )

    def finish(self) -> Evaluation:
        """Evaluate the best model and write the report; the run is finished then."""
        best = load(self.run.best)
        protocol = best.protocol + self.split_note
        evaluation = summarise(score_each(best, self.val), self.val, protocol)
        history = self.run.read_results()
        write_report(
            self.run.folder,
            Story(
                title=self.run.folder.name,
                summary=self._summary(),
                facts=self._facts(history),
                classes=best.classes,
                palette=best.palette,
                history=history,
                confusion=evaluation.confusion,
                pictures=gallery(best, self.val, evaluation),
                protocol=evaluation.protocol,
                commands=next_commands(self.run.folder, self.config.data),
            ),
        )
        self.run.write_summary(numbers(evaluation) | {"best_epoch": self.best[1]})
        return evaluation

    def _end_epoch(self, step: Step, began: float) -> Epoch:
        confusion = Confusion(len(self.model.classes))
        due = step.epoch % self.config.evaluate_every == 0 or step.number == self.training.steps
        if due:
            confusion = evaluate(self.model, self.val).confusion
            if _known(confusion.mean_iu) > self.best[0]:
                self.best = (_known(confusion.mean_iu), step.epoch)
                self.model.save(self.run.best)
        seconds = time.monotonic() - began
        row = {"epoch": step.epoch, "step": step.number, "loss": self.losses[0] / self.losses[1]}
        row |= {"lr": step.lr, **confusion.numbers(), "seconds": round(seconds, 1)}
        self.rows.append(row)
        self.losses = (0.0, 0)
        self.run.write_results(self.rows)
        self.save()
        left = seconds * (self.epochs - step.epoch)
        return Epoch(step.epoch, self.epochs, row, self.best, seconds, left)

    def _restore(self) -> None:
        notes = self.training.restore(self.run.last)
        if notes["best_epoch"]:
            self.best = (notes["best_mean_iu"], notes["best_epoch"])
        self.losses = (notes["epoch_losses"][0], notes["epoch_losses"][1])
        self.rows = self.run.read_results(until=self.training.done)

    def _summary(self) -> str:
        return (
            f"{self.config.model}, {len(self.model.classes)} classes, trained on "
            f"{len(self.train)} photos of {self.config.data}, evaluated on {len(self.val)}"
        )

    def _facts(self, history: Sequence[dict[str, float]]) -> dict[str, str]:
        config = self.config
        parameters = sum(p.numel() for p in self.model.network.parameters())
        return {
            "model": f"{config.model}, padding {config.padding}",
            "parameters": f"{parameters:,}",
            "initial weights": config.weights or "drawn at random",
            "data": f"{config.data}: {len(self.train)} to train, {len(self.val)} to evaluate",
            "photos": f"fitted into {config.size}" if config.size else "at their own size",
            "training windows": str(config.crop or "whole photos"),
            "loss": "mean cross entropy over the pixels that are not void",
            "class weights": config.balance,
            "optimiser": f"{config.optimizer}, rate {config.learning_rate:g}, {config.schedule}",
            "steps": f"{self.training.done} of {self.training.batch} photos ({self.epochs} epochs)",
            "best epoch": str(self.best[1]),
            "time": f"{sum(row['seconds'] for row in history) / 60:.1f} minutes",
            "seed": str(config.seed),
            "fullconv": __version__,
        }


def resolved(config: RunConfig, data: Data) -> RunConfig:
    """The settings with all that was left open decided, from the data: they can be run again."""
    changes: dict[str, object] = {"lr": config.learning_rate}
    changes["width"] = config.architecture_settings["width"]
    size = config.size
    if size is None and config.crop is None:
        typical = typical_size(data)
        size = WORKING if typical[0] * typical[1] > LARGEST else None
        changes["size"] = size
    if config.crop is None:
        changes["crop"] = typical_size(data, size)
    return config.model_copy(update=changes)


def typical_size(data: Data, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """The middle height and width of a few samples, once fitted into `size`."""
    some = range(0, len(data), max(1, len(data) // 9))
    shapes = [fit(data[index], size).labels.shape for index in some]
    height, width = (sorted(sides)[len(sides) // 2] for sides in zip(*shapes, strict=True))
    return height, width


def validation(source: str, train: Data) -> tuple[Data, str]:
    """The val split, or where there is none the training samples and a note that says why."""
    try:
        val = open_data(source, "val")
    except DataError as error:
        return train, f"; {NO_SPLIT} ({error})"
    return (val, "") if len(val) else (train, f"; {NO_SPLIT}")


def gallery(
    model: Model, data: Data, evaluation: Evaluation, count: int = GALLERY
) -> list[Picture]:
    """Samples for the report, evenly from the best to the worst, each answered once more."""
    images = evaluation.images
    ranked = sorted(range(len(data)), key=lambda index: -_known(images[data.names[index]]))
    last = len(ranked) - 1
    places = sorted({round(i * last / max(1, count - 1)) for i in range(count)})
    pictures = []
    for sample in data.take([ranked[place] for place in places]):
        answer = model.predict(sample.image).labels
        picture = Picture(sample.name, sample.image, sample.labels, answer, images[sample.name])
        pictures.append(picture)
    return pictures


def next_commands(folder: Path, data: str) -> list[str]:
    """What a user may want to run next."""
    return [
        f"fullconv predict {folder} NEW_PHOTOS --out answers",
        f"fullconv evaluate {folder} {data} --split val --json evaluation.json",
    ]


def numbers(evaluation: Evaluation) -> dict[str, object]:
    """An evaluation as plain values: the four numbers, per class, and what they mean."""
    confusion = evaluation.confusion
    shares = zip(
        evaluation.classes, confusion.iu, confusion.accuracy, confusion.pixels, strict=True
    )
    per_class = {
        name: {"iu": _plain(iu), "accuracy": _plain(accuracy), "pixels": int(pixels)}
        for name, iu, accuracy, pixels in shares
    }
    four = {name: _plain(value) for name, value in confusion.numbers().items()}
    return {
        **four,
        "per_class": per_class,
        "images": len(evaluation.images),
        "protocol": evaluation.protocol,
    }


def four_numbers(evaluation: Evaluation) -> str:
    """The paper's four numbers in one line."""
    names = ("pixel accuracy", "mean accuracy", "mean IU", "f.w. IU")
    values = evaluation.confusion.numbers().values()
    return "  ".join(f"{name} {percent(value)}" for name, value in zip(names, values, strict=True))


def _known(share: float) -> float:
    return -1.0 if math.isnan(share) else share


def _plain(share: float) -> float | None:
    return None if math.isnan(share) else float(share)
