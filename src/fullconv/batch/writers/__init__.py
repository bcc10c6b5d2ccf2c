"""Encode predictions as files. One file per output kind.

Writers do not open files: the caller decides where the bytes go and where they come from.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from fullconv._registry import Registry
from fullconv.batch.manifest import JobDescription, PredictionRecord
from fullconv.inference.prediction import Prediction
from fullconv.io.storage import is_url

StoredFile = tuple[PredictionRecord, Callable[[], bytes]]
"""A prediction's record, and a function that reads its file."""


@dataclass(frozen=True)
class Collector:
    """How one or several files are made from all predictions of one kind.

    Attributes:
        path: of the file, or of a folder if it ends with a slash.
        make: (predictions, their job) -> each file's path below `path` ("" for a single file) and
            the pieces of its bytes; equal predictions give equal bytes.
        names: a regular expression of the names of files in the folder, which are removed with it.
    """

    path: str
    make: Callable[[Sequence[StoredFile], JobDescription], Iterator[tuple[str, Iterable[bytes]]]]
    names: str = r"\d+\.\w+"


@dataclass(frozen=True)
class Writer:
    """An output kind.

    Attributes:
        suffix: of its files, e.g. ".png".
        encode: returns the bytes of a file; equal predictions give equal bytes.
        summary: one line about the file, for messages and docs.
        scores: whether it needs the scores of all classes, which predictions in parts keep only on
            request: `model.predict(photo, scores=True)`.
        pixel_bytes: memory that `encode` takes for each pixel, the file included; with
            `encoding_bytes`, for usual labels.
        score_bytes: likewise for each pixel and class.
        encoding_bytes: returns the memory that `encode` takes for a prediction, the file included,
            if that depends on its labels.
        collector: makes files from those of all predictions, if there are any.
        named: (prediction, file name of the photo) -> bytes of the file, if they hold that name;
            `encode` leaves it empty.
    """

    suffix: str
    encode: Callable[[Prediction], bytes]
    summary: str = ""
    scores: bool = False
    pixel_bytes: int = 16
    score_bytes: int = 0
    encoding_bytes: Callable[[Prediction], int] | None = None
    collector: Collector | None = None
    named: Callable[[Prediction, str], bytes] | None = None

    def encode_photo(self, prediction: Prediction, path: str) -> bytes:
        """Return the bytes of the file of a photo, given its path or URL."""
        if self.named is None:
            return self.encode(prediction)
        return self.named(prediction, photo_name(path))


def photo_name(path: str) -> str:
    """Return the file name in a path or URL."""
    if is_url(path):
        path = unquote(urlsplit(path).path)
    return PurePath(path).name


writers: Registry[Writer] = Registry("fullconv.batch.writers", "output kind")
