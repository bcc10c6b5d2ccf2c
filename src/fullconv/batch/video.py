"""Predict a video frame by frame; memory does not grow with its length."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fullconv.inference.prediction import Prediction
from fullconv.io.images import legend
from fullconv.io.video import Frame, VideoInfo, read_frames, read_info, record_video


@dataclass(frozen=True)
class PredictedFrame:
    """A frame that has been predicted and written.

    Attributes:
        number: of the frame, from 1.
        frames: number of frames of the video, from its header or estimated; None if unknown.
        time: seconds since the first frame.
        prediction: of this frame.
        remaining: estimated seconds for the rest; None if the length is unknown.
    """

    number: int
    frames: int | None
    time: float
    prediction: Prediction
    remaining: float | None


def overlay_video(
    source: Path, target: Path, predict: Callable[[Frame], Prediction]
) -> Generator[PredictedFrame, None, None]:
    """Predict every frame of a video and write a video of the overlays.

    A legend of all classes is drawn below the frames unless it is higher than half a frame.
    `target` appears when the iterator is exhausted; if it is closed earlier or fails, nothing is
    left behind.

    Args:
        source: the video.
        target: an .mp4 file.
        predict: called with each frame, RGB in [0, 255].

    Raises:
        ConfigError: `target` is not an .mp4 file.
        ImageError: `source` is not a video, or is damaged.
        OutputError: `target` cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    info = read_info(source)
    start = time.monotonic()
    with record_video(target, info.rate) as add_frame:
        for number, (moment, image) in enumerate(read_frames(source), 1):
            prediction = predict(image)
            add_frame(moment, _draw(prediction))
            per_frame = (time.monotonic() - start) / number
            remaining = per_frame * max(0, info.frames - number) if info.frames else None
            yield PredictedFrame(number, info.frames, float(moment), prediction, remaining)


def describe_video(info: VideoInfo) -> str:
    """Describe a video's length and frame rate, and warn that its sound is dropped."""
    frames = f"{info.frames:,} frames" if info.frames else "unknown number of frames"
    length = f", {info.seconds:.1f} s" if info.seconds else ""
    sound = "; the sound is dropped" if info.sound else ""
    return f"{frames}{length} at {info.rate:.4g} frames/s{sound}"


def _draw(prediction: Prediction) -> Frame:
    # With all classes, not only those that occur: every frame of a video has the same size.
    overlay = prediction.overlay(legend=False)
    strip = legend(prediction.classes, prediction.palette, overlay.shape[1])
    return np.concatenate([overlay, strip]) if 2 * len(strip) <= len(overlay) else overlay
