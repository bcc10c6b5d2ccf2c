"""A whole run: train, evaluate after every epoch, keep the best, and write the report."""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fullconv import __version__
from fullconv.atomic import explained
from fullconv.chronicle import Chronicle
from fullconv.config import RunConfig
from fullconv.evaluation import Evaluation, added_up, confusions, score_each, summarise
from fullconv.formats import open_data, write_splits
from fullconv.gallery import Picture
from fullconv.metrics import Confusion, percent
from fullconv.model import Model, load
from fullconv.preflight import Preflight, preflight
from fullconv.recorder import Recorder
from fullconv.report import Story, write_report
from fullconv.run import Run
from fullconv.runplan import resolved, typical_size, validation
from fullconv.sample import Data
from fullconv.team import ALONE, Team
from fullconv.trackers import Tracking
from fullconv.training import Step, Training, new_model

SAVE_SECONDS = 300.0  # a kill costs at most this much work
GALLERY = 6
REHEARSED = 50  # steps from which a training is worth a rehearsal


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
        confusion: of its evaluation; None where it was not evaluated.
    """

    number: int
    epochs: int
    row: dict[str, float]
    best: tuple[float, int]
    seconds: float
    left: float
    confusion: Confusion | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Measured:
    """One more of the samples that an evaluation is about.

    Attributes:
        done: samples that are answered.
        samples: of this process, in all.
    """

    done: int
    samples: int


@dataclass(frozen=True)
class Note:
    """Something that the flight recorder has seen, in words.

    Attributes:
        step: after which it was seen.
        text: what was seen, and the likely cause.
    """

    step: int
    text: str


class Experiment:
    """One run: its data, its training, and from `enter` on its folder.

    Args:
        config: all settings; what they leave open is decided from the data.
        begin: a model file to begin with, instead of the settings' weights.
        team: the processes that do it together; the first writes the files.
    """

    run: Run
    chronicle: Chronicle

    def __init__(self, config: RunConfig, begin: Path | None = None, team: Team = ALONE) -> None:
        self.team = team
        self.tracking = Tracking(config.track)
        self.train = open_data(config.data, "train")
        self.val, self.split_note = validation(config.data, self.train)
        self.config = resolved(config, self.train)
        weights = {"weights": str(begin)} if begin else {}
        model = new_model(self.config.model_copy(update=weights), self.train)
        self.training = Training(model, self.train, self.config, team)
        self.best = (float("-inf"), 0)  # mean IU, and the epoch it came from
        self.losses = (0.0, 0)  # sum and count of this epoch's, for its row
        self.trial: Preflight | None = None
        self.recorder = Recorder(self.train.classes, self.config, self.training.steps)

    def enter(self, run: Run) -> None:
        """Work in this folder; if it holds a checkpoint, the run goes on exactly there."""
        self.run = run
        if self.team.leads:
            with explained(run.folder):
                run.folder.mkdir(parents=True, exist_ok=True)
                run.clean()
        if run.last.is_file():
            self._restore()
        elif self.team.leads:
            run.write_config(self.config.model_dump(mode="json"))
            if self.val is not self.train:
                write_splits(run.folder / "splits", {"train": self.train, "val": self.val})

        done, classes = self.training.done, self.train.classes
        self.chronicle = Chronicle(run, classes, self.tracking, done, self.team.leads)
        if self.chronicle.rows:
            self.recorder.go_on(self.chronicle.rows[0]["loss"])

    @property
    def model(self) -> Model:
        """The model in training."""
        return self.training.model

    @property
    def epochs(self) -> int:
        """Epochs in all; the last may be cut short by `steps`."""
        return math.ceil(self.training.steps / self.training.epoch_steps)

    @property
    def summed_rate(self) -> float:
        """The rate that would do the same to Caffe's loss, the sum over a batch's pixels."""
        height, width = self.config.window or typical_size(self.train, self.config.size)
        return self.config.learning_rate / (height * width * self.training.batch)

    def rehearse(self) -> Preflight | None:
        """A few steps that are taken back, where the training is new and long enough for them."""
        worth = self.config.preflight and self.training.steps >= REHEARSED
        if worth and not self.training.done:
            self.trial = preflight(self.training)
        return self.trial

    def events(self) -> Generator[Step | Measured | Epoch | Note, None, None]:
        """Train to the end; every step, after the last of an epoch its evaluation, and notes.

        Close it before `save` where it is left early: an evaluation has other weights in place.
        """
        settings = self.config.model_dump(mode="json")
        facts: dict[str, Any] = {"fullconv": __version__, "device": str(self.training.device)}
        facts |= {"steps": self.training.steps}
        notes = self.chronicle.begin(self.run.folder.name, settings, **facts)
        yield from (Note(self.training.done, text) for text in notes)
        for warning in self.trial.warnings if self.trial else ():  # said when it was found
            self.chronicle.note(0, warning)
        began = saved = time.monotonic()
        if self.losses[1] and self.training.ends_epoch:  # it was stopped in that evaluation
            yield from self._end_epoch(began)
            began = saved = time.monotonic()
        for step in self.training.run():
            self.losses = (self.losses[0] + step.loss, self.losses[1] + 1)
            self.chronicle.step(step.seconds)
            yield step
            yield from self._noted(self.recorder.step(step.number, step.loss))
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
            if step.ends_epoch:
                yield from self._end_epoch(began)
                began = saved = time.monotonic()

    def save(self) -> None:
        """Write the checkpoint that `--resume` goes on from."""
        if not self.team.leads:
            return
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
        weights = self.training.loss.weights
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
                class_history=self.chronicle.class_rows,
                class_weights=None if weights is None else weights.tolist(),
                notes=self.chronicle.notes,
            ),
        )
        summary = numbers(evaluation) | {"best_epoch": self.best[1]}
        self.chronicle.end("finish", self.training.done, **summary)
        self.run.write_summary(summary)
        return evaluation

    def stop(self, reason: str) -> None:
        """Save, and say in the records why the run is left before its end."""
        self.save()
        self.chronicle.end("stop", self.training.done, reason=reason)

    def _noted(self, texts: Sequence[str]) -> Iterator[Note]:
        for text in texts:
            self.chronicle.note(self.training.done, text)
            yield Note(self.training.done, text)

    def _end_epoch(self, began: float) -> Iterator[Measured | Epoch | Note]:
        """Evaluate, and take the epoch down."""
        self.training.check_weights()
        done, epoch = self.training.done, self.training.epoch
        confusion = Confusion(len(self.model.classes))
        due = epoch % self.config.evaluate_every == 0 or done == self.training.steps
        if due:
            with self.training.averaged():
                confusion = yield from self._measured()
                score = _known(confusion.mean_iu)
                if self.config.keep == "last" or score > self.best[0]:
                    self.best = (score, epoch)
                    if self.team.leads:
                        self.model.save(self.run.best)
        seconds = time.monotonic() - began
        row = {"epoch": epoch, "step": done, "loss": self.losses[0] / self.losses[1]}
        row |= {"lr": self.training.rate(done - 1)}
        row |= {**confusion.numbers(), "seconds": round(seconds, 1)}
        row |= self.chronicle.pace(self.training.batch, self.training.device)
        self.losses = (0.0, 0)
        measured = confusion if due else None
        lost = self.chronicle.epoch(row, measured)  # before the checkpoint, see there
        self.save()
        yield from (Note(done, text) for text in lost)
        left = seconds * (self.epochs - epoch)
        yield Epoch(epoch, self.epochs, row, self.best, seconds, left, measured)
        if due:
            yield from self._noted(self.recorder.epoch(done, confusion, self.model.network))

    def _measured(self) -> Generator[Measured, None, Confusion]:
        self.training.agree()
        found = Confusion(len(self.model.classes))
        samples = math.ceil(len(self.val) / self.team.size)
        for number, one in enumerate(confusions(self.model, self.val, self.team), 1):
            found += one
            yield Measured(number, samples)
        return added_up(found, self.model, self.team)

    def _restore(self) -> None:
        notes = self.training.restore(self.run.last)
        if notes["best_epoch"]:
            self.best = (notes["best_mean_iu"], notes["best_epoch"])
        self.losses = (notes["epoch_losses"][0], notes["epoch_losses"][1])

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
            "training windows": str(config.window or "whole photos"),
            "loss": self.training.loss.describe(),
            "class weights": config.balance,
            "recipe": config.recipe or "modern",
            "optimiser": f"{config.optimizer}, rate {config.learning_rate:g}, {config.schedule}",
            "rate of a summed loss": f"{self.summed_rate:.2g} (as Caffe's solvers give it)",
            "steps": f"{self.training.done} of {self.training.batch} photos ({self.epochs} epochs)",
            "best epoch": str(self.best[1]),
            "time": f"{sum(row['seconds'] for row in history) / 60:.1f} minutes",
            "seed": str(config.seed),
            "fullconv": __version__,
        }


def gallery(
    model: Model, data: Data, evaluation: Evaluation, count: int = GALLERY
) -> list[Picture]:
    """Samples for the report, half of them the best, half the worst, each answered once more."""
    images = evaluation.images
    ranked = sorted(range(len(data)), key=lambda index: -_known(images[data.names[index]]))
    best = ranked[: count - count // 2]
    worst = ranked[max(len(best), len(ranked) - count // 2) :]
    pictures = []
    for sample in data.take([*best, *worst]):
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
