"""Frames are read and written with their times and orientation; bad files are refused."""

import struct
from fractions import Fraction

import numpy as np
import pytest

from fullconv.errors import ConfigError, ImageError, MissingExtraError, OutputError
from fullconv.io.video import SUFFIXES, is_video, read_frames, read_info, record_video
from videos import BLUE, GREEN, GREY, RED, alike, av, corners, quarters, write_video

UNEVEN = [0.0, 0.04, 0.08, 0.2, 0.5, 0.52, 1.0]


def record(path, images, times, rate=25.0):
    with record_video(path, rate) as add:
        for time, image in zip(times, images, strict=True):
            add(Fraction(time).limit_denominator(1000), image)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_frames_are_read_with_their_times(tmp_path, suffix):
    path = tmp_path / f"a b{suffix}"
    write_video(path, [quarters()] * 5, codec="mpeg4" if suffix == ".avi" else "libx264")
    moments, images = zip(*read_frames(path), strict=True)
    assert [float(moment) for moment in moments] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert all(alike(corners(image), [RED, GREEN, BLUE, GREY]) for image in images)


def test_a_variable_frame_rate_is_kept(tmp_path):
    write_video(tmp_path / "in.mp4", [quarters()] * len(UNEVEN), UNEVEN)
    moments = [moment for moment, _ in read_frames(tmp_path / "in.mp4")]
    assert [float(moment) for moment in moments] == pytest.approx(UNEVEN)
    record(tmp_path / "out.mp4", [quarters()] * len(UNEVEN), moments)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx(UNEVEN)


def with_matrix(content, matrix):
    """Change the display matrix in the track header of an mp4 (ISO 14496-12, 8.3.2)."""
    start = content.index(b"tkhd") + 4 + 40
    return content[:start] + struct.pack(">9i", *matrix) + content[start + 36 :]


ONE, LAST = 1 << 16, 1 << 30
ROTATIONS = {  # matrix -> the quarters as a player shows them; x' = a x + c y, y' = b x + d y
    (ONE, 0, 0, 0, ONE, 0, 0, 0, LAST): [RED, GREEN, BLUE, GREY],
    (0, ONE, 0, -ONE, 0, 0, 64 * ONE, 0, LAST): [BLUE, RED, GREY, GREEN],  # a quarter clockwise
    (-ONE, 0, 0, 0, -ONE, 0, 96 * ONE, 64 * ONE, LAST): [GREY, BLUE, GREEN, RED],
    (0, -ONE, 0, ONE, 0, 0, 0, 96 * ONE, LAST): [GREEN, GREY, RED, BLUE],
}


@pytest.mark.parametrize("matrix", ROTATIONS)
def test_frames_are_rotated_by_the_display_matrix(tmp_path, matrix):
    write_video(tmp_path / "a.mp4", [quarters()] * 2)
    (tmp_path / "b.mp4").write_bytes(with_matrix((tmp_path / "a.mp4").read_bytes(), matrix))
    (_, image), _ = read_frames(tmp_path / "b.mp4")
    assert image.shape == ((96, 64, 3) if matrix[0] == 0 else (64, 96, 3))
    assert alike(corners(image), ROTATIONS[matrix]) and image.flags.c_contiguous


def test_colours_are_kept_and_their_space_is_declared(tmp_path):
    shades = [(200, 40, 40), (40, 200, 90), (30, 60, 210), (250, 250, 10)]
    record(tmp_path / "a.mp4", [quarters(colors=shades)] * 3, [0, 0.04, 0.08])
    for _, image in read_frames(tmp_path / "a.mp4"):
        assert alike(corners(image), shades, within=6)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1, 1), "the colour space is declared"
        assert context.name == "h264" and context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("size", [(33, 51), (1, 1), (2, 300)])
def test_odd_sizes_are_padded(tmp_path, size):
    image = np.full((*size, 3), 77, np.uint8)
    record(tmp_path / "a.mp4", [image] * 2, [0, 0.04])
    (_, found), _ = read_frames(tmp_path / "a.mp4")
    assert found.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    assert np.abs(found.astype(int) - 77).max() <= 6


def test_equal_frames_give_equal_bytes_whatever_is_in_memory(tmp_path):
    pictures = [np.roll(quarters(184, 320), 5 * n, 1) for n in range(12)]
    draw, found = np.random.default_rng(0), set()
    for number in range(4):
        path = tmp_path / f"{number}.mp4"
        with record_video(path, 25.0) as add:
            for index, picture in enumerate(pictures):
                for size in (400, 160, 80):  # allocate memory, fill it and free it
                    draw.standard_normal((size, size))
                add(Fraction(index, 25), picture)
        found.add(path.read_bytes())
    assert len(found) == 1


def test_two_frames_with_one_time_are_both_kept(tmp_path):
    record(tmp_path / "a.mp4", [quarters()] * 3, [0, 0, 0.04])
    assert len(list(read_frames(tmp_path / "a.mp4"))) == 3


def test_information_is_read_without_decoding(tmp_path):
    write_video(tmp_path / "a.mp4", [quarters()] * 50, sound=True)
    facts = read_info(tmp_path / "a.mp4")
    assert (facts.frames, facts.rate, facts.sound) == (50, 25.0, True)
    assert facts.seconds == pytest.approx(2, abs=0.1)
    write_video(tmp_path / "a.mkv", [quarters()] * 50)
    facts = read_info(tmp_path / "a.mkv")
    assert facts.frames == pytest.approx(50, abs=1) and not facts.sound


def noisy(count=30):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (64, 96, 3)).astype(np.uint8) for _ in range(count)]


def test_a_truncated_video_is_refused(tmp_path):
    write_video(tmp_path / "a.mp4", noisy(), movflags="faststart")
    content = (tmp_path / "a.mp4").read_bytes()
    for kept, message in (
        (0, "not a readable video"),
        (600, r"a\.mp4"),
        (len(content) // 2, r"frame \d+ is damaged or cut short; .* copy it again"),
    ):
        (tmp_path / "a.mp4").write_bytes(content[:kept])
        with pytest.raises(ImageError, match=message):
            list(read_frames(tmp_path / "a.mp4"))


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_a_truncated_matroska_file_is_refused_by_its_length(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_video(path, noisy(8), codec="libvpx" if suffix == ".webm" else "libx264")
    content = path.read_bytes()
    assert len([*read_frames(path)]) == 8
    for kept in (len(content) // 2, len(content) - 1):
        path.write_bytes(content[:kept])
        with pytest.raises(
            ImageError, match=rf"cut short: it has {kept:,} bytes, .* {len(content):,}"
        ):
            next(read_frames(path))
    start = content.index(b"\x18\x53\x80\x67") + 4  # of a recording, the size is not known
    path.write_bytes(content[:start] + b"\x01" + b"\xff" * 7 + content[start + 8 :])
    assert len([*read_frames(path)]) == 8


def test_damage_in_the_middle_is_refused(tmp_path):
    write_video(tmp_path / "a.mp4", noisy(), movflags="faststart")
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    for position in range(len(content) // 3, len(content) - 4000, 400):
        content[position] ^= 0xFF
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ImageError, match=r"frame \d+ is damaged"):
        list(read_frames(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    "content",
    [
        b"no video at all",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nREAL\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile real.mp4\n",
    ],
)
def test_other_files_and_playlists_are_refused(tmp_path, content):
    write_video(tmp_path / "real.mp4", [quarters()] * 2)
    real = (tmp_path / "real.mp4").as_uri().encode()
    (tmp_path / "a.mp4").write_bytes(content.replace(b"REAL", real))
    with pytest.raises(ImageError, match=rf"not a readable video.*\{SUFFIXES[0]}"):
        read_info(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".ts", ".mpg"])
def test_a_video_is_recognized_by_its_first_bytes(tmp_path, suffix):
    write_video(tmp_path / f"a{suffix}", [quarters()] * 9)
    assert is_video((tmp_path / f"a{suffix}").rename(tmp_path / "a"))


@pytest.mark.parametrize(
    "content", [b"", b"G" * 9, b"\x89PNG\r\n", b"\0\0\0\x18ftypavif", b"G = 1\n" * 40]
)
def test_photos_and_programs_are_not_taken_for_videos(tmp_path, content):
    (tmp_path / "a.ts").write_bytes(content)
    assert not is_video(tmp_path / "a.ts")


def test_a_file_with_sound_only_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", 8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ImageError, match="only sound"):
        read_info(tmp_path / "a.mp4")


def test_a_missing_file_and_an_unsupported_suffix_are_refused(tmp_path):
    with pytest.raises(ImageError, match="there is no such video"):
        read_info(tmp_path / "a.mp4")
    with (
        pytest.raises(ConfigError, match=r"written as \.mp4"),
        record_video(tmp_path / "a.avi", 25.0),
    ):
        pass


def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(KeyError), record_video(tmp_path / "a.mp4", 25.0) as add:
        add(Fraction(0), quarters())
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"old"


def test_a_file_in_place_of_a_folder_is_an_output_error(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(OutputError, match="could not be written"):
        record(tmp_path / "out" / "a.mp4", [quarters()], [0])


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fullconv\[video\]"'):
        read_info(tmp_path / "a.mp4")
