"""A teacher: the averaged predictions of a model, which the loss learns beside the labels.

They are computed once (test-time augmentation, at the teacher's scales), kept in the cache as one
file per photo, and augmented as the photo is. An interrupted computation is resumed.
"""

import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fullconv.config import TrainConfig
from fullconv.data.sample import Data, Sample
from fullconv.data.transforms import fitted, vary
from fullconv.errors import ConfigError
from fullconv.evaluation.scored_samples import score_samples
from fullconv.io.atomic import write_bytes
from fullconv.io.locks import locked
from fullconv.model import Model, load
from fullconv.training.fingerprint import fingerprint
from fullconv.training.teacher_files import prediction_file, teacher_folder, teacher_folders
from fullconv.weights.fingerprint import file_fingerprint

MOST_BYTES = 4 * 2**30  # of all teachers' files; the oldest teachers are removed beyond
_LEVEL = 1  # of zlib: most probabilities are 0 or 1
_SEVERAL = 3  # channels of what is augmented like a photo

Soft = UInt8[np.ndarray, "H W K"]


class Teacher:
    """The soft labels of a data set: probabilities of each class, times 255.

    Args:
        model: the teacher.
        identity: its fingerprint.
        data: the training samples.
        config: of the training.

    Raises:
        DataError: the teacher has other classes than the data.
    """

    def __init__(self, model: Model, identity: str, data: Data, config: TrainConfig) -> None:
        data.check_classes(model.classes, "use a teacher with the classes of the data set")
        self.identity = identity
        self._model, self._data, self._config = model, data, config
        facts = [
            identity,
            _data_identity(data),
            *(config.size, config.input_scale, model.tta_scales),
        ]
        self.folder = teacher_folder(facts)

    def prepare(self) -> Iterator[int]:
        """Compute the soft labels that the cache lacks; yield how many are still missing.

        Raises:
            OutputError: the cache cannot be written.
        """
        missing = [index for index in range(len(self._data)) if not self._file(index).is_file()]
        if self.folder.is_dir():
            os.utime(self.folder)  # those that were used for longest are removed first
        if not missing:
            return
        self._make_room()
        self._model.optimize("torch")
        scored = score_samples(
            self._model, self._data, missing, scales=self._model.tta_scales, keep_scores=True
        )
        for count, (index, found) in enumerate(zip(missing, scored, strict=True)):
            assert found.prediction is not None and found.prediction.score is not None
            probabilities = found.prediction.score.softmax(0).mul(255).round().byte()
            soft = probabilities.permute(1, 2, 0).contiguous().numpy()
            fitted_soft = _each(soft, found.sample, lambda part: fitted(part, self._config).image)
            write_bytes(self._file(index), zlib.compress(fitted_soft.tobytes(), _LEVEL))
            yield len(missing) - count - 1

    def varied(self, sample: Sample, epoch: int, index: int) -> Soft:
        """Return the soft labels of a fitted sample, augmented as `vary` augments its image.

        Pixels outside of the photo have no meaning; their label is 255.

        Raises:
            ConfigError: they are missing or damaged.
        """
        shape = (*sample.labels.shape, len(self._data.classes))
        try:
            content = zlib.decompress(self._file(index).read_bytes())
            soft = np.frombuffer(content, np.uint8).reshape(shape)
        except (OSError, ValueError, zlib.error) as error:
            raise ConfigError(
                f"{self._file(index)}: the teacher's prediction of {sample.name} is missing or "
                "damaged; delete the folder, and resume: it is computed again"
            ) from error
        plain = self._config.model_copy(update={"jitter": 0.0, "blur": 0.0})
        return _each(soft, sample, lambda part: vary(part, plain, epoch, index).image)

    def _file(self, index: int) -> Path:
        return prediction_file(self.folder, index)

    def _make_room(self) -> None:
        """Remove the teachers that were used for longest, beyond the bound."""
        others = self.folder.parent
        others.mkdir(parents=True, exist_ok=True)
        with locked(others):
            self.folder.mkdir(exist_ok=True)
            folders = sorted(teacher_folders(others), key=lambda path: path.stat().st_mtime)
            sizes = {path: sum(f.stat().st_size for f in path.iterdir()) for path in folders}
            total = sum(sizes.values())
            for path in folders:
                if total > MOST_BYTES and path != self.folder:
                    total -= sizes[path]
                    with suppress(OSError):
                        shutil.rmtree(path)


def _data_identity(data: Data) -> str:
    """Return what the photos and their order are known by: their files, or else their pixels."""
    digest = hashlib.sha256(f"{fingerprint(data, data).digest} {data.band_choice}".encode())
    if getattr(data.read, "pairs", None) is None:
        for sample in data:
            digest.update(sample.image.tobytes())
    return digest.hexdigest()


def open_teacher(config: TrainConfig, data: Data) -> Teacher | None:
    """Return the teacher that the settings name, or None.

    Raises:
        ConfigError: it is another file than when the run was started, or an exported one.
        WeightsError: it cannot be read.
        DataError: it has other classes than the data.
    """
    if config.teacher is None:
        return None
    identity, known = file_fingerprint(config.teacher), config.teacher_fingerprint
    if known and identity != known:
        raise ConfigError(
            f"the teacher {config.teacher} changed since this run was started (fingerprint "
            f"{identity}, expected {known}); restore it to resume, or start a new run"
        )
    model = load(config.teacher)
    model.check_photos("teacher")
    if data.inputs:
        raise ConfigError("a teacher learns from photos alone; leave out inputs, or the teacher")
    model.network.eval()
    return Teacher(model, identity, data, config)


def _each(
    soft: Soft, sample: Sample, change: Callable[[Sample], UInt8[np.ndarray, "h w 3"]]
) -> Soft:
    """Change three classes at a time, as the channels of an image with the sample's labels."""
    parts = []
    for start in range(0, soft.shape[2], _SEVERAL):
        channels = soft[..., start : start + _SEVERAL]
        image = np.zeros((*soft.shape[:2], _SEVERAL), np.uint8)
        image[..., : channels.shape[2]] = channels
        parts.append(change(Sample(image, sample.labels, sample.name))[..., : channels.shape[2]])
    return np.ascontiguousarray(np.concatenate(parts, -1))
