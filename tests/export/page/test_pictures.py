"""Scaling, label maps and PNG files in JavaScript: equal to Pillow and PyTorch."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch.nn import functional as F

from fullconv.io.images import decode_image, fit_size
from node import node, pack
from shown_pages import encoded

SIZES = [
    ((47, 63), (29, 41)),
    ((1, 1), (3, 2)),
    ((7, 1), (1, 5)),
    ((300, 401), (300, 97)),
    ((300, 401), (97, 401)),
    ((120, 160), (211, 333)),
    ((719, 961), (360, 480)),
    ((600, 20), (33, 19)),
]


def random_image(height, width, channels=3, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize(("source", "size"), SIZES)
def test_photos_are_scaled_as_pillow_does_to_the_bit(source, size):
    image = random_image(*source)
    image[: source[0] // 2] = np.where(image[: source[0] // 2] > 127, 255, 0)
    rgba = np.concatenate([image, np.full((*source, 1), 255, np.uint8)], 2)
    wide = Image.fromarray(image).resize((size[1], source[0]), Image.Resampling.BILINEAR)
    expected = np.asarray(wide.resize(size[::-1], Image.Resampling.BILINEAR))
    found = node(
        """const { scalePhoto } = await load("scaling");
        const read = (top, rows) =>
          given.rgba.subarray(4 * top * given.source[1], 4 * (top + rows) * given.source[1]);
        return scalePhoto(read, ...given.source, ...given.size);""",
        rgba=rgba,
        source=source,
        size=size,
    )
    assert found == expected.tobytes()


def test_the_working_size_is_that_of_predictions():
    random = np.random.default_rng(1)
    cases = []
    for _ in range(300):
        size, limit = map(tuple, random.integers(1, 900, (2, 2)).tolist())
        factor = float(random.choice([0.25, 0.5, 0.75, 1, 1.5, 2, random.uniform(0.1, 3)]))
        cases.append([size, limit if random.random() < 0.7 else None, factor])
    found = node(
        """const { workingSize } = await load("scaling");
        return given.cases.map(([size, limit, factor]) => workingSize(...size, limit, factor));""",
        cases=cases,
    )
    assert found == [list(fit_size(*case)) for case in cases]


@pytest.mark.parametrize(
    ("low", "high"), [((9, 13), (9, 13)), ((9, 13), (31, 40)), ((20, 5), (7, 5))]
)
def test_label_maps_are_those_of_pytorch(low, high):
    torch.manual_seed(2)
    score = torch.randn(5, *low) * 3
    large = F.interpolate(score[None], high, mode="bilinear", align_corners=False)[0]
    (best, next_best), (labels, second) = large.softmax(0).topk(2, 0)
    found = node(
        """const { mapsFromScores } = await load("maps");
        const scores = new Float32Array(given.score.buffer.slice(given.score.byteOffset,
          given.score.byteOffset + given.score.byteLength));
        return mapsFromScores(scores, 5, ...given.low, ...given.high);""",
        score=score.numpy(),
        low=low,
        high=high,
    )
    maps = {name: np.frombuffer(value, np.uint8).reshape(high) for name, value in found.items()}
    assert (maps["labels"] == labels.numpy()).all() and (maps["second"] == second.numpy()).all()
    for name, expected in (("confidence", best), ("secondConfidence", next_best)):
        assert np.abs(maps[name] - expected.numpy() * 255).max() <= 0.5 + 1e-3


def test_the_first_of_equal_scores_is_the_label_and_scores_that_are_no_numbers_are_refused():
    found = node(
        """const { mapsFromScores } = await load("maps");
        const { labels, second } = mapsFromScores(new Float32Array([1, 2, 2, 2]), 4, 1, 1, 1, 1);
        let refused = "";
        try { mapsFromScores(new Float32Array([NaN, 1]), 2, 1, 1, 1, 1); }
        catch (error) { refused = error.message; }
        return [labels[0], second[0], refused];"""
    )
    assert found == [1, 2, "the network's scores are not numbers"]


def test_the_profile_of_a_jpeg_is_left_out_and_nothing_else():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = encoded("JPEG", exif=exif)
    for large in (profile, profile + bytes(70_000)):  # the larger one is in two segments
        found = node(
            """const { withoutProfile } = await load("photos");
            return given.files.map(({ bytes }) =>
              withoutProfile(new Uint8Array(Buffer.from(bytes, "base64"))));""",
            files=[pack(encoded("JPEG", exif=exif, icc_profile=large)), pack(plain)],
        )
        assert found == [plain, plain]


def png(picture, **options):
    stream = io.BytesIO()
    picture.save(stream, "PNG", **options)
    return stream.getvalue()


def pictures():
    image = random_image(13, 22, 4, seed=3)
    rgba = Image.fromarray(image)
    yield "RGBA", png(rgba)
    yield "RGB", png(rgba.convert("RGB"))
    yield "RGB with a transparent colour", png(rgba.convert("RGB"), transparency=(1, 2, 3))
    yield "LA", png(rgba.convert("LA"))
    yield "L", png(rgba.convert("L"))
    yield "1", png(rgba.convert("1"))
    for bits in (1, 2, 4, 8):
        few = Image.fromarray(image[..., 0] >> (8 - bits))
        few.putpalette(random_image(1, 2**bits, 3, seed=4).tobytes())
        yield f"P {bits}", png(few, bits=bits)
        yield f"P {bits} transparent", png(few, bits=bits, transparency=bytes([0, 9]))


def test_pngs_have_the_colours_that_predictions_are_made_of():
    kinds = dict(pictures())
    found = node(
        """const { decodePng, opaqueRgba } = await load("png");
        const out = {};
        for (const [name, { bytes }] of Object.entries(given.kinds)) {
          const file = new Uint8Array(Buffer.from(bytes, "base64"));
          out[name] = opaqueRgba(await decodePng(file));
        }
        return out;""",
        kinds={name: pack(content) for name, content in kinds.items()},
    )
    for name, content in kinds.items():
        expected = decode_image(content, name)
        rgba = np.frombuffer(found[name], np.uint8).reshape(*expected.shape[:2], 4)
        assert (rgba[..., :3] == expected).all(), name
        assert (rgba[..., 3] == 255).all()


@pytest.mark.parametrize("value_range", [(0, 65535), (300, 5000), (1000.5, 1001.5)])
def test_pngs_of_16_bits_are_scaled_by_the_range_as_predictions_are(value_range):
    random = np.random.default_rng(7)
    for channels in (1, 3):
        values = random.integers(0, 6000, (9, 11, channels), np.uint16)
        values[0, :3] = [[0], [65535], [1001]]
        content = deep_png(values)
        expected = decode_image(content, "deep.png", value_range)
        found = node(
            """const { decodePng, opaqueRgba } = await load("png");
            return opaqueRgba(await decodePng(given.file, given.range));""",
            file=content,
            range=value_range,
        )
        rgba = np.frombuffer(found, np.uint8).reshape(*expected.shape[:2], 4)
        assert (rgba[..., :3] == expected).all()


def deep_png(values):
    """Return a PNG of 16 bits, grey or RGB, that is written here: Pillow writes no such colours."""
    height, width, channels = values.shape
    rows = values.astype(">u2").tobytes()
    stride = width * channels * 2
    raw = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if channels == 1 else 2, 0, 0, 0)
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")):
        out += struct.pack(">I", len(data)) + kind + data
        out += struct.pack(">I", zlib.crc32(kind + data))
    return out


def test_masks_are_indexed_pngs_whose_values_are_the_classes():
    labels = random_image(19, 30, 1, seed=5)[..., 0] % 3
    labels[0, :5] = 255
    palette = [[1, 2, 3], [40, 50, 60], [7, 8, 9]]
    found = node(
        """const { encodeIndexed } = await load("png");
        return encodeIndexed(given.labels, 30, 19, given.palette);""",
        labels=labels,
        palette=palette,
    )
    picture = Image.open(io.BytesIO(found))
    picture.load()
    assert picture.mode == "P" and (np.asarray(picture) == labels).all()
    colours = np.array(picture.getpalette()).reshape(-1, 3)
    assert colours[:3].tolist() == palette and colours[255].tolist() == [224, 224, 192]


def kinds_of_files():
    picture = Image.fromarray(random_image(5, 6))

    def save(kind, **options):
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        return stream.getvalue()

    frames = [picture, picture.rotate(180)]
    deep = Image.fromarray(np.arange(30, dtype=np.uint16).reshape(5, 6))
    yield "PNG", save("PNG"), "PNG"
    yield "JPEG", save("JPEG"), "JPEG"
    yield "WebP", save("WEBP"), "WebP"
    yield "lossless WebP", save("WEBP", lossless=True), "WebP"
    yield "BMP", save("BMP"), "BMP"
    yield "AVIF", save("AVIF"), "AVIF"
    yield "TIFF", save("TIFF"), "notAPhoto"
    yield "GIF", save("GIF"), "notAPhoto"
    yield "text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "notAPhoto"
    yield "nothing", b"", "emptyFile"
    yield "16 bits", png(deep), "PNG"
    yield "animated PNG", save("PNG", save_all=True, append_images=frames[1:]), "animated"
    yield "animated WebP", save("WEBP", save_all=True, append_images=frames[1:]), "animated"


@pytest.mark.parametrize(
    ("content", "expected"),
    [pytest.param(content, kind, id=name) for name, content, kind in kinds_of_files()],
)
def test_files_are_known_by_their_content_and_others_are_refused(content, expected):
    found = node(
        """const { identify } = await load("photos");
        try { return identify(given.content).kind; } catch (error) { return error.message; }""",
        content=content,
    )
    assert found == expected
