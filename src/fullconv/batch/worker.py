"""Predict one photo of a job: read it, compute its prediction, write the output files."""

from dataclasses import dataclass, field
from pathlib import Path

from fullconv.batch.class_areas import count_pixels
from fullconv.batch.fingerprint import content_digest, file_state
from fullconv.batch.inputs import Input
from fullconv.batch.job import Image, PredictionJob
from fullconv.batch.manifest import FailureRecord, PredictionRecord
from fullconv.batch.memory_gate import InputMemory
from fullconv.batch.photo_memory import check_results
from fullconv.batch.stage_times import StageTimes
from fullconv.batch.writers import writers
from fullconv.errors import EngineError, FullconvError, explain_os_error
from fullconv.inference.prediction import Prediction
from fullconv.io.images import decode_image, peek_header, read_image, with_inputs
from fullconv.io.storage import fetch, local_path
from fullconv.io.value_range import ValueRange


@dataclass(frozen=True)
class OpenedPhoto:
    """What is known of a photo before it is decoded.

    Attributes:
        memory: what it takes.
        content: the bytes of a file that is not on this machine.
    """

    memory: InputMemory
    content: bytes | None = None


@dataclass(frozen=True)
class LoadedPhoto:
    """A decoded photo, and what identifies its file; see `PredictionRecord`."""

    image: Image
    bytes: int
    modified: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Worker:
    """Predict the photos of a job, in any thread of any machine.

    Attributes:
        job: what is the same for all photos.
        times: gets the time of each stage.
    """

    job: PredictionJob
    times: StageTimes = field(default_factory=StageTimes, compare=False)

    @property
    def threads(self) -> int:
        """CPU threads per photo."""
        return self.job.threads

    @property
    def gpus(self) -> float:
        """GPUs per photo."""
        return 1.0 if self.job.device.startswith("cuda") else 0.0

    @property
    def at_once(self) -> int:
        """Photos that one machine computes at the same time."""
        return self.job.at_once

    @property
    def value_range(self) -> ValueRange | None:
        """The values that become black and white in photos with more than 8 bits."""
        return self.job.band_choice.value_range

    def prepare(self) -> None:
        """Load the model and the writers into this process; repeated calls cost nothing."""
        self.job.prepare()

    @property
    def memory(self) -> int:
        """Bytes for one of the photos that are computed at the same time."""
        return self.job.share

    def open(self, item: Input, at_once: int) -> OpenedPhoto:
        """Read a photo's header, from a file or a URL, and plan its memory."""
        content = None if local_path(item.where) else fetch(item.where)
        path = self.job.input_path(item) if content is None else Path(item.where)
        header = peek_header(path, content)
        return OpenedPhoto(self.job.plan(header, at_once), content)

    def read(self, item: Input, opened: OpenedPhoto) -> LoadedPhoto:
        """Decode a photo."""
        with self.times.measure("read"):
            return self._read(item, opened)

    def _read(self, item: Input, opened: OpenedPhoto) -> LoadedPhoto:
        if opened.content is not None:
            image = decode_image(opened.content, item.where, self.value_range)
            return LoadedPhoto(image, len(opened.content))
        path = self.job.input_path(item)
        # Before the photo is read: if it changes meanwhile, it will be predicted again.
        others = self.job.input_files(path)
        state, digest = file_state(path, others), content_digest(path, others)
        image = with_inputs(read_image(path, self.value_range), path, self.job.inputs)
        return LoadedPhoto(image, state.bytes, state.modified, digest)

    def compute(self, photo: LoadedPhoto, opened: OpenedPhoto) -> Prediction:
        """Predict a photo, and check that its files can be encoded."""
        with self.times.measure("compute"):
            prediction = self.job.predict(photo.image, opened.memory.limit)
        check_results(prediction, self.job.outputs, opened.memory)
        return prediction

    def write(self, item: Input, photo: LoadedPhoto, prediction: Prediction) -> PredictionRecord:
        """Write the output files, then return the manifest entry that makes them count."""
        with self.times.measure("write"):
            return self._write(item, photo, prediction)

    def _write(self, item: Input, photo: LoadedPhoto, prediction: Prediction) -> PredictionRecord:
        target, files = self.job.target, self.job.output_files(item)
        parts = prediction.by_head()
        for kind, name in files.items():
            head, _, own = kind.rpartition("/")
            target.write(name, writers[own].encode_photo(parts[head], item.where))
        height, width = prediction.labels.shape
        return self.job.record(
            item,
            height=height,
            width=width,
            bytes=photo.bytes,
            modified=photo.modified,
            digest=photo.digest,
            files=files,
            pixels=_pixels(prediction),
            note=prediction.note,
            heads={name: _pixels(part) for name, part in prediction.heads.items()},
        )

    def record_failure(self, item: Input, error: Exception) -> FailureRecord:
        """Return the entry of errors.jsonl: a sentence that names the input and the reason."""
        message = self._explain(error)
        if item.where not in message:
            message = f"{item.where}: {message}"
        return FailureRecord(item.id, item.where, message, is_unexpected(error))

    @staticmethod
    def _explain(error: Exception) -> str:
        if isinstance(error, FullconvError):
            return str(error)
        if _lacks_memory(error):
            return "not enough memory"
        if isinstance(error, OSError):
            return explain_os_error(error)
        return f"unexpected error ({type(error).__name__}: {error})"


def _pixels(prediction: Prediction) -> dict[str, int]:
    """Return the number of pixels of each class."""
    return dict(zip(prediction.classes, count_pixels(prediction), strict=True))


def is_unexpected(error: Exception) -> bool:
    """Return whether an error is neither the input's nor the machine's: a bug, or a crash."""
    if isinstance(error, EngineError):
        return True
    known = isinstance(error, FullconvError | OSError)
    return not known and not _lacks_memory(error)


def _lacks_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "not enough memory" in str(error)
