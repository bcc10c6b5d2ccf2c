"""An overlay video has every frame at its time, and appears complete or not at all."""

import numpy as np
import pytest
import torch

from fullconv.batch.video import describe_video, overlay_video
from fullconv.errors import ImageError
from fullconv.inference.prediction import Prediction
from fullconv.io.video import VideoInfo, read_frames
from videos import alike, corners, quarters, write_video

CLASSES, PALETTE = ("dark", "bright"), ((0, 0, 0), (255, 255, 255))
TIMES = [0.0, 0.1, 0.15, 0.4]


def by_brightness(image):
    """Predict class 1 where green is strong, without a network."""
    bright = torch.from_numpy(image[..., 1] > 100).float()
    return Prediction(image, torch.stack([1 - bright, bright]).numpy(), CLASSES, PALETTE)


@pytest.fixture
def source(tmp_path):
    write_video(tmp_path / "in.mp4", [quarters(128, 160)] * len(TIMES), TIMES, sound=True)
    return tmp_path / "in.mp4"


def test_every_frame_is_predicted_and_written(source, tmp_path):
    events = list(overlay_video(source, tmp_path / "out.mp4", by_brightness))
    assert [event.number for event in events] == [1, 2, 3, 4] and events[0].frames == 4
    assert [event.time for event in events] == pytest.approx(TIMES)
    assert all(np.unique(event.prediction.labels).tolist() == [0, 1] for event in events)
    moments, images = zip(*read_frames(tmp_path / "out.mp4"), strict=True)
    assert [float(moment) for moment in moments] == pytest.approx(TIMES)
    # Class 0 is black, which is not drawn; class 1 is white.
    halves = [(255, 0, 0), (128, 255, 128), (0, 0, 255), (192, 192, 192)]
    for image in images:
        assert alike(corners(image[:128]), halves, within=14)
        assert image.shape[1] == 160 and image.shape[0] > 128, "the legend is below"


def test_the_remaining_time_ends_at_zero(source, tmp_path):
    left = [event.remaining for event in overlay_video(source, tmp_path / "out.mp4", by_brightness)]
    assert left[-1] == 0 and all(time >= 0 for time in left)


def test_small_frames_have_no_legend(tmp_path):
    write_video(tmp_path / "in.mp4", [quarters(32, 48)] * 2)
    list(overlay_video(tmp_path / "in.mp4", tmp_path / "out.mp4", by_brightness))
    assert next(read_frames(tmp_path / "out.mp4"))[1].shape == (32, 48, 3)


def test_one_frame_is_in_memory_at_a_time(tmp_path):
    write_video(tmp_path / "in.mp4", [quarters()] * 60)
    events = overlay_video(tmp_path / "in.mp4", tmp_path / "out.mp4", by_brightness)
    asked = []

    def predict(image):
        asked.append(image)
        return by_brightness(image)

    events = overlay_video(tmp_path / "in.mp4", tmp_path / "out.mp4", predict)
    next(events)
    assert len(asked) == 1
    next(events)
    assert len(asked) == 2


def test_closing_early_leaves_no_file(source, tmp_path):
    events = overlay_video(source, tmp_path / "out.mp4", by_brightness)
    next(events)
    assert not (tmp_path / "out.mp4").exists()
    events.close()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_damaged_video_leaves_no_file(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (64, 96, 3)).astype(np.uint8) for _ in range(30)]
    write_video(tmp_path / "in.mp4", images, movflags="faststart")
    content = (tmp_path / "in.mp4").read_bytes()
    (tmp_path / "in.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError, match=r"in\.mp4: frame \d+ is damaged or cut short"):
        list(overlay_video(tmp_path / "in.mp4", tmp_path / "out.mp4", by_brightness))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_equal_videos_give_equal_bytes(source, tmp_path):
    for name in ("one.mp4", "two.mp4"):
        list(overlay_video(source, tmp_path / name, by_brightness))
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_video_is_described_in_one_line():
    text = describe_video(VideoInfo(1200, 30000 / 1001, 40.04, sound=True))
    assert text == "1,200 frames, 40.0 s at 29.97 frames/s; the sound is dropped"
    assert "sound" not in describe_video(VideoInfo(None, 25.0, None, sound=False))
