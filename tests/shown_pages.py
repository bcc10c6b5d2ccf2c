"""Pages with a model in a browser: choose photos, wait, and read what the page has found."""

import base64
import io
import struct
import time
import zlib

import numpy as np
from PIL import Image, ImageCms

from fullconv.io.images import decode_image, scale_image


def noise(height=71, width=93, seed=0):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encoded(kind, picture=None, **options):
    stream = io.BytesIO()
    (picture or Image.fromarray(noise())).save(stream, kind, **options)
    return stream.getvalue()


def photo_files():
    """Yield kinds of files that browsers decode, and a photo of each."""
    picture = Image.fromarray(noise())
    alpha = picture.copy()
    alpha.putalpha(Image.fromarray(noise(seed=1)[..., 0]))
    yield "JPEG 4:2:0", encoded("JPEG", quality=80, subsampling=2)
    yield "JPEG 4:4:4", encoded("JPEG", quality=95, subsampling=0)
    yield "JPEG progressive", encoded("JPEG", progressive=True)
    yield "JPEG grey", encoded("JPEG", picture.convert("L"))
    yield "JPEG profile", encoded("JPEG", quality=80, icc_profile=_swapped_colours())
    yield "JPEG CMYK", encoded("JPEG", picture.convert("CMYK"))
    yield "PNG", encoded("PNG")
    yield "PNG grey", encoded("PNG", picture.convert("L"))
    yield "PNG palette", encoded("PNG", picture.quantize(40))
    yield "PNG transparent", encoded("PNG", alpha)
    yield "PNG gamma", _with_gamma(encoded("PNG"))
    yield "PNG profile", encoded("PNG", icc_profile=_swapped_colours())
    yield "WebP profile", encoded("WEBP", lossless=True, icc_profile=_swapped_colours())
    yield "WebP", encoded("WEBP", quality=80)
    yield "WebP lossless", encoded("WEBP", lossless=True)
    yield "BMP", encoded("BMP")


def _swapped_colours():
    """Return a colour profile that exchanges red and blue, so that its use is seen."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", profile[128:132])
    tags = struct.iter_unpack(">4sII", profile[132 : 132 + 12 * count])
    red, blue = (slice(at, at + n) for name, at, n in sorted(tags) if name in (b"rXYZ", b"bXYZ"))
    profile[red], profile[blue] = profile[blue], profile[red]
    return bytes(profile)


def _with_gamma(png):
    data = b"gAMA" + (100000).to_bytes(4, "big")
    chunk = (4).to_bytes(4, "big") + data + zlib.crc32(data).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


def checksums(shown, content):
    """Return the checksums of the pixels of a file, decoded and scaled in a page."""
    text = base64.b64encode(content).decode()
    photo = f"new Blob([Uint8Array.from(atob('{text}'), (c) => c.charCodeAt(0))])"
    return shown.evaluate(f"fullconv.source.predict({photo}, null, [20, 31]).then((f) => f.sums)")


def expected_checksums(content):
    """Return those of the command."""
    image = decode_image(content, "photo")
    return [zlib.crc32(image.tobytes()), zlib.crc32(scale_image(image, (20, 31)).tobytes())]


def opened(browser, page, **options):
    shown = browser.open(page, **options)
    shown.wait_for_selector("html[data-check]", state="attached")
    assert shown.evaluate("document.documentElement.dataset.check") == "passed"
    return shown


def wait_until(condition, seconds=60):
    """Wait until a condition holds, without code in the page, which its policy forbids."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition does not become true"
        time.sleep(0.05)


def choose(shown, **files):
    given = [{"name": n, "mimeType": "image/png", "buffer": c} for n, c in files.items()]
    shown.set_input_files("#files", given)
    busy = "fullconv.queue.items.some((item) => !['done', 'failed'].includes(item.state))"
    wait_until(lambda: not shown.evaluate(busy))


def labels_of(shown, number=0):
    text = shown.evaluate(
        f"fullconv.queue.mask(fullconv.queue.items[{number}])"
        ".then((mask) => btoa(String.fromCharCode(...mask)))"
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def downloaded(shown, kind):
    with shown.expect_download() as download:
        shown.click(f"[data-download={kind}]")
    return download.value.suggested_filename, download.value.path().read_bytes()
