"""Read and write video files; only this file imports PyAV.

Frames keep their timestamps, so variable frame rates are kept, and are rotated by the file's
display matrix, as phones record. Audio is neither read nor written.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import UInt8

from fullconv.errors import ConfigError, ImageError, OutputError, require
from fullconv.io.atomic import replacing

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


Frame = UInt8[np.ndarray, "H W 3"]

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv")
_MATROSKA = b"\x1a\x45\xdf\xa3"  # the first element of Matroska and WebM; _SEGMENT holds the rest
_SEGMENT = b"\x18\x53\x80\x67"
# First bytes of video files: offset and content.
_MAGIC = (
    (4, b"ftyp"),  # MP4, QuickTime
    (4, b"moov"),  # the same without the first box, or in another order
    (4, b"mdat"),
    (0, _MATROSKA),
    (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"),  # MPEG
    (0, b"\x30\x26\xb2\x75"),  # WMV
)
# Brands of MP4 that are not videos: photos (HEIC, AVIF) and music.
_OTHER_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"M4A ", b"M4B ")
_PACKET = 188  # bytes of a packet in an MPEG transport stream, which begins with _SYNC
_SYNC = 0x47
# The only containers that are opened; playlists, which name other files, are not among them.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,asf,flv,ogg"
_ENCODERS = ("libx264", "libopenh264", "mpeg4")  # the first one that this build of PyAV has
_TICKS = (
    90_000  # per second; frames of the usual rates, and milliseconds, are whole numbers of them
)
_BT709 = 1  # in ffmpeg's lists of colour spaces, primaries and transfer functions
_LIMITED = 1  # in its list of ranges: 16 to 235


@dataclass(frozen=True)
class VideoInfo:
    """The header of a video.

    Attributes:
        frames: number of frames; estimated from length and rate if the header has no count; None
            if that is not possible.
        rate: frames per second, on average.
        seconds: length, or None.
        sound: whether it has audio.
    """

    frames: int | None
    rate: float
    seconds: float | None
    sound: bool


def is_video(path: Path) -> bool:
    """Whether a file is a video by its first bytes, or by its suffix if it cannot be opened.

    Photos, music and programs (".ts") are not.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would block
            return path.suffix.lower() in SUFFIXES
        with path.open("rb") as file:
            head = file.read(_PACKET + 1)
    except (OSError, ValueError):
        return path.suffix.lower() in SUFFIXES
    if head[4:8] == b"ftyp" and head[8:12] in _OTHER_BRANDS:
        return False
    stream = len(head) > _PACKET and head[0] == head[_PACKET] == _SYNC
    return stream or any(head[at : at + len(sign)] == sign for at, sign in _MAGIC)


def read_info(path: Path) -> VideoInfo:
    """Read the header of a video, without decoding it.

    Raises:
        ImageError: the file is not a video.
        MissingExtraError: PyAV is not installed.
    """
    with _open(path) as container:
        stream = _video_stream(container, path)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        length = container.duration
        seconds = length / 1_000_000 if length and length > 0 else None  # ffmpeg's microseconds
        frames = stream.frames or (round(seconds * rate) if seconds else None)
        return VideoInfo(frames, float(rate), seconds, bool(container.streams.audio))


def read_frames(path: Path) -> Iterator[tuple[Fraction, Frame]]:
    """Read the frames of a video: seconds since the first frame, and the upright RGB image.

    Raises:
        ImageError: the file is not a video, is damaged, or changes its frame size.
        MissingExtraError: PyAV is not installed.
    """
    first, size = Fraction(0), None
    with _open(path) as container:
        stream = _video_stream(container, path)
        for number, frame in enumerate(_decode(container, stream, path), 1):
            moment = _timestamp(frame, number, stream)
            image = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
            first, size = (moment, image.shape) if size is None else (first, size)
            if image.shape != size:
                raise ImageError(
                    f"{path}: frame {number} has {image.shape[0]} x {image.shape[1]} pixels "
                    f"(height x width), frame 1 has {size[0]} x {size[1]}; expected one size: "
                    "convert the video first"
                )
            yield moment - first, np.ascontiguousarray(image, np.uint8)
    if size is None:
        raise ImageError(f"{path}: a video without a complete frame; is it cut short?")


@contextmanager
def record_video(path: Path, rate: float) -> Iterator[Callable[[Fraction, Frame], None]]:
    """Write a video (H.264 in an .mp4 file); yields a function that adds a frame at a time.

    The file appears atomically after the block. All frames have the size of the first; if a side is
    odd, the last row or column is repeated, as the format requires.

    Args:
        path: the new video.
        rate: frames per second, for the duration of the last frame and for players.

    Raises:
        ConfigError: the name does not end in .mp4.
        OutputError: the file cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    if path.suffix.lower() != ".mp4":
        raise ConfigError(f"{path}: videos are written as .mp4; choose a name with this suffix")
    av = _pyav()
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), "w", "mp4", {"movflags": "faststart"}) as container:
                recorder = _Encoder(container, Fraction(rate).limit_denominator(1001))
                yield recorder.add
                recorder.finish()
        except av.FFmpegError as error:
            raise OutputError(f"{path} could not be written: {error.strerror}") from error


def _pyav() -> ModuleType:
    module: ModuleType = require("av", extra="video", what="a video")
    return module


@contextmanager
def _open(path: Path) -> Iterator["InputContainer"]:
    av = _pyav()
    if not os.path.isfile(path):
        found = "a folder or a device" if os.path.exists(path) else "there is no such video"
        raise ImageError(found, "a video file", where=path)
    _check_length(path)
    limits = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(path.absolute()), options=limits, metadata_errors="replace")
    except av.FFmpegError as error:
        raise ImageError(
            f"{path}: not a readable video, or its beginning is damaged; expected one of "
            f"{', '.join(SUFFIXES)}"
        ) from error
    with container:
        yield container


def _check_length(path: Path) -> None:
    """Find an incomplete copy of a Matroska or WebM file, whose frames end without an error.

    Raises:
        ImageError: it is shorter than it says.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:  # opening it reports the error
        return
    if not head.startswith(_MATROSKA):
        return
    start, size = _element_content(head, len(_MATROSKA))
    segment = start + (size or 0)
    if not size or head[segment : segment + len(_SEGMENT)] != _SEGMENT:
        return
    start, size = _element_content(head, segment + len(_SEGMENT))
    length = path.stat().st_size
    if size is not None and length < start + size:
        raise ImageError(
            f"{path}: cut short: it has {length:,} bytes, and by its header {start + size:,}; "
            "expected a complete video: copy it again from its source"
        )


def _element_content(head: bytes, place: int) -> tuple[int, int | None]:
    """Return where the content of a Matroska element starts, and its bytes; None if unknown.

    Args:
        head: the first bytes of the file.
        place: of the element's size: the zeros before its first 1 say how many bytes it has.
    """
    first = head[place] if place < len(head) else 0
    width = 9 - first.bit_length()
    most = (1 << 7 * width) - 1
    size = int.from_bytes(head[place : place + width]) & most
    return place + width, None if not first or size == most else size


def _video_stream(container: "InputContainer", path: Path) -> "VideoStream":
    stream = container.streams.best("video")
    if stream is None:
        raise ImageError(f"{path}: contains only sound; expected a video")
    return cast("VideoStream", stream)


def _decode(
    container: "InputContainer", stream: "VideoStream", path: Path
) -> Iterator["VideoFrame"]:
    number = 0
    try:
        for number, frame in enumerate(container.decode(stream), 1):
            if frame.is_corrupt:
                raise ImageError(_damaged(path, number))
            yield frame
    except _pyav().FFmpegError as error:
        raise ImageError(_damaged(path, number + 1)) from error


def _damaged(path: Path, number: int) -> str:
    return (
        f"{path}: frame {number} is damaged or cut short; expected a complete video: copy it again "
        "from its source, or convert it to skip the damage"
    )


def _timestamp(frame: "VideoFrame", number: int, stream: "VideoStream") -> Fraction:
    if frame.pts is None or frame.time_base is None:  # raw recordings have no timestamps
        return (number - 1) / (stream.average_rate or Fraction(25))
    return frame.pts * frame.time_base


class _Encoder:
    """Encode frames of one size, that of the first one."""

    def __init__(self, container: "OutputContainer", rate: Fraction) -> None:
        self._container = container
        self._rate = rate
        self._stream: VideoStream | None = None
        self._last = -1

    def add(self, moment: Fraction, picture: Frame) -> None:
        # H.264 stores colours at half the resolution, which needs even sides.
        odd = [(0, side % 2) for side in picture.shape[:2]]
        even = np.pad(picture, (*odd, (0, 0)), mode="edge")
        self._stream = self._stream or self._add_stream(even.shape)
        frame = (
            _pyav()
            .VideoFrame.from_ndarray(even, "rgb24")
            .reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED)
        )
        # Broken recordings have equal timestamps, which encoders refuse.
        self._last = max(self._last + 1, round(moment * _TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        frame.duration = round(_TICKS / self._rate)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))

    def _add_stream(self, shape: tuple[int, ...]) -> "VideoStream":
        codec = next(name for name in _ENCODERS if name in _pyav().codecs_available)
        # With "mbtree", x264 165 is not deterministic: it reads uninitialized memory.
        x264 = {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0"}
        quality = x264 if codec == "libx264" else {"b": "8000000"}
        stream = cast("VideoStream", self._container.add_stream(codec, self._rate, quality))
        stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, _TICKS)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        return stream
