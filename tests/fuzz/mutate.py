"""Mutations of files: a pure function of the content and a random generator."""

import io
import json
import re
import struct
import zipfile
import zlib

EXTREMES = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
NUMBERS = (
    *("-1", "0", "255", "256", "65536", "2147483648", "-2147483649", "9223372036854775808"),
    *(
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        ".nan",
        "1e-400",
        "0x7fffffff",
        "9" * 5000,
        "0.5",
        "1_0",
    ),
)
TOKENS = (
    *(
        "null",
        "~",
        "true",
        "no",
        "[",
        "]",
        "{",
        "}",
        "[[[[",
        '"',
        "'",
        "\\",
        "\\ud800",
        "\x00",
        "é",
    ),
    *(
        "../outside/x",
        "../../outside/x",
        "{outside}/x",
        "/dev/zero",
        "",
        " ",
        "\t",
        "a" * 300,
        "=1+1",
    ),
    *(
        "\x1b[2J",
        "&a",
        "*a",
        "<<: *a",
        "<!DOCTYPE a>",
        "&lt;",
        "<a>",
        "\ufeff",
        "\r",
        "\u2028",
        "-",
    ),
)
WORD = re.compile(r"[\w.+-]+")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def mutate(content, draw, text, donor=b"", outside=""):
    """Return a changed copy.

    Args:
        content: bytes of a file.
        draw: numpy's generator.
        text: whether the content is a text file.
        donor: another file of the same kind.
        outside: path of a folder that nothing may write to, for paths in texts.
    """
    inner = _structured(content, draw, outside)
    if inner is not None:
        return inner
    steps = int(draw.integers(1, 4))
    for _ in range(steps):
        if text and draw.random() < 0.8:
            content = _text(content, draw, donor, outside)
        else:
            content = _bytes(content, draw, donor)
    return content


def _bytes(content, draw, donor):
    data = bytearray(content)
    size = len(data)
    if not size:
        return bytes(draw.integers(0, 256, 8, dtype="uint8"))
    place = int(draw.integers(0, size))
    match draw.integers(0, 8):
        case 0:
            for _ in range(draw.integers(1, 9)):
                data[int(draw.integers(0, size))] ^= 1 << int(draw.integers(0, 8))
        case 1:
            data[place] = int(draw.integers(0, 256))
        case 2:
            del data[place:]
        case 3:
            length = int(draw.integers(1, 65))
            del data[place : place + length]
        case 4:
            length = int(draw.integers(1, 257))
            data[place:place] = data[place : place + length]
        case 5:
            width = int(draw.choice((2, 4, 8)))
            value = int(EXTREMES[draw.integers(0, len(EXTREMES))]) % 2 ** (8 * width)
            order = "little" if draw.random() < 0.5 else "big"
            data[place : place + width] = value.to_bytes(width, order)
        case 6:
            other = donor or content
            begin = int(draw.integers(0, len(other)))
            data[place:] = other[begin:]
        case _:
            length = int(draw.integers(1, 33))
            data[place : place + length] = bytes(length)
    return bytes(data)


def _text(content, draw, donor, outside):
    text = content.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    line = int(draw.integers(0, len(lines)))
    token = TOKENS[draw.integers(0, len(TOKENS))].replace("{outside}", outside)
    match draw.integers(0, 11):
        case 0:
            text = _replace(text, NUMBER, NUMBERS[draw.integers(0, len(NUMBERS))], draw)
        case 1:
            text = _replace(text, WORD, token, draw)
        case 2:
            del lines[line]
            text = "\n".join(lines)
        case 3:
            lines.insert(int(draw.integers(0, len(lines))), lines[line])
            text = "\n".join(lines)
        case 4:
            place = int(draw.integers(0, len(text) + 1))
            text = text[:place] + token + text[place:]
        case 5:
            opens, closes = (("[", "]"), ('{"a":', "}"), ("<a>", "</a>"))[draw.integers(0, 3)]
            depth = int(draw.choice((50, 1000, 100_000)))
            text = _replace(text, WORD, opens * depth + closes * depth, draw)
        case 6:
            return text.encode("utf-16" if draw.random() < 0.5 else "cp1252", "ignore")
        case 7:
            other = donor.decode("utf-8", "surrogateescape").split("\n") if donor else lines
            text = "\n".join([*lines[:line], *other[int(draw.integers(0, len(other))) :]])
        case 8:
            text = text.replace("\n", "\r\n") if draw.random() < 0.5 else "\ufeff" + text
        case 9:
            text = _swap(text, draw)
        case _:
            text = text * int(draw.choice((2, 30)))
    return (
        text.encode("utf-8", "surrogateescape" if max(text, default="") >= "\udc80" else "strict")
        if not re.search("[\ud800-\udbff]", text)
        else text.encode("utf-8", "surrogatepass")
    )


def _replace(text, pattern, by, draw):
    matches = list(pattern.finditer(text))
    if not matches:
        return text + by
    match = matches[draw.integers(0, len(matches))]
    return text[: match.start()] + by + text[match.end() :]


def _swap(text, draw):
    """Put one word of the text in the place of another."""
    matches = list(WORD.finditer(text))
    if len(matches) < 2:
        return text
    source = matches[draw.integers(0, len(matches))]
    target = matches[draw.integers(0, len(matches))]
    return text[: target.start()] + source[0] + text[target.end() :]


def _structured(content, draw, outside):
    """Change the inside of a container whose lengths and checksums stay right, half of the time."""
    if draw.random() < 0.5:
        return None
    if content[:2] == b"PK":
        return _in_archive(content, draw)
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _in_png(content, draw)
    if (
        len(content) > 9
        and content[8:9] == b"{"
        and struct.unpack("<Q", content[:8])[0] < len(content)
    ):
        length = struct.unpack("<Q", content[:8])[0]
        header = _in_header(content[8 : 8 + length], draw, outside)
        return struct.pack("<Q", len(header)) + header + content[8 + length :]
    return None


def _in_archive(content, draw):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    chosen = int(draw.integers(0, len(entries)))
    if draw.random() < 0.7:
        chosen = next((n for n, (name, _) in enumerate(entries) if name.endswith(".pkl")), chosen)
    name, data = entries[chosen]
    entries[chosen] = (name, _bytes(data, draw, b""))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for entry in dict(entries).items():
            archive.writestr(*entry)
    return file.getvalue()


def _in_png(content, draw):
    """Change the data of one chunk, and give it the checksum that belongs to it."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append([content[place + 4 : place + 8], content[place + 8 : place + 8 + length]])
        place += length + 12
    chosen = chunks[draw.integers(0, len(chunks))]
    if chosen[0] == b"IDAT" and draw.random() < 0.7:  # the pixels, not their compression
        chosen[1] = zlib.compress(_bytes(zlib.decompress(chosen[1]), draw, b""))
    else:
        chosen[1] = _bytes(chosen[1], draw, b"")
    parts = [
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    ]
    return content[:8] + b"".join(parts)


def _in_header(header, draw, outside):
    """Change the header of a safetensors file, or the JSON text that is a value in it."""
    try:
        values = json.loads(header)
        said = values.get("__metadata__", {})
        key = next(iter(said))
    except (ValueError, StopIteration):
        return _text(header, draw, b"", outside)
    if draw.random() < 0.3:
        return _text(header, draw, b"", outside)
    said[key] = _text(said[key].encode(), draw, b"", outside).decode("utf-8", "replace")
    return json.dumps(values).encode()
