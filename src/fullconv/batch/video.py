"""A video in, a video of its answers out, frame by frame: memory does not grow with its length."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fullconv.inference.predictor import Prediction
from fullconv.io.images import legend
from fullconv.io.video import Frame, VideoInfo, read_facts, read_frames, recording


@dataclass(frozen=True)
class Answered:
    """One frame is answered, and its picture is in the new video.

    Attributes:
        number: of the frame, from 1.
        frames: of the whole video, as its header says or as estimated; None where unknown.
        time: of the frame, in seconds since the first.
        answer: to it.
        remaining: seconds that the rest will take, or None where the length is unknown.
    """

    number: int
    frames: int | None
    time: float
    answer: Prediction
    remaining: float | None


def overlay_video(
    source: Path, target: Path, answer: Callable[[Frame], Prediction]
) -> Generator[Answered, None, None]:
    """Answer every frame of a video and write a video of the overlays, whole or not at all.

    All classes stand below the frames, where their legend is at most half as high as a frame.
    Nothing is at `target` before the iterator has come to its end; if it is left earlier, or
    anything fails, nothing is left of it.

    Args:
        source: the video.
        target: an .mp4 file.
        answer: a frame, RGB in [0, 255] -> its answer.

    Raises:
        ConfigError: `target` is no .mp4 file.
        ImageError: `source` is no video, or damaged.
        OutputError: `target` cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    facts = read_facts(source)
    began = time.monotonic()
    with recording(target, facts.rate) as add:
        for number, (moment, image) in enumerate(read_frames(source), 1):
            said = answer(image)
            add(moment, _picture(said))
            each = (time.monotonic() - began) / number
            remaining = each * max(0, facts.frames - number) if facts.frames else None
            yield Answered(number, facts.frames, float(moment), said, remaining)


def describe(facts: VideoInfo) -> str:
    """A video's length and rate in a few words, and that its sound will be left out."""
    frames = f"{facts.frames:,} frames" if facts.frames else "frames of unknown number"
    length = f", {facts.seconds:.1f} s" if facts.seconds else ""
    sound = "; the sound is left out" if facts.sound else ""
    return f"{frames}{length} at {facts.rate:.4g} frames a second{sound}"


def _picture(answer: Prediction) -> Frame:
    # All classes, not only those that occur: every picture of a video has the same size.
    picture = answer.overlay(legend=False)
    strip = legend(answer.classes, answer.palette, picture.shape[1])
    return np.concatenate([picture, strip]) if 2 * len(strip) <= len(picture) else picture
