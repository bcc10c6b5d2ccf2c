"""Videos of known content, written with PyAV directly."""

from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV reads and writes videos: the extra [video]")

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
MILLISECOND = Fraction(1, 1000)


def quarters(height=64, width=96, colors=(RED, GREEN, BLUE, GREY)):
    """Return an image of coloured quarters: upper left, upper right, lower left, lower right."""
    image = np.zeros((height, width, 3), np.uint8)
    for index, color in enumerate(colors):
        rows = slice(None, height // 2) if index < 2 else slice(height // 2, None)
        columns = slice(width // 2, None) if index % 2 else slice(None, width // 2)
        image[rows, columns] = color
    return image


def write_video(path, images, times=None, codec="libx264", sound=False, **options):
    """Write a video of images at times in seconds, by default at 25 frames per second."""
    times = times or [number / 25 for number in range(len(images))]
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, 25)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        stream.codec_context.time_base = MILLISECOND
        speaker = container.add_stream("aac", 8000) if sound else None
        for image, time in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = round(time * 1000), MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if speaker:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 8000, 0
            container.mux(speaker.encode(silence))
            container.mux(speaker.encode(None))


def corners(image):
    """Return the colours in the middle of the four quarters."""
    height, width = image.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return [image[row, column].astype(int) for row in rows for column in columns]


def alike(found, expected, within=12):
    return all(
        np.abs(np.subtract(a, b)).max() <= within for a, b in zip(found, expected, strict=True)
    )
