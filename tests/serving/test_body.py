"""Bodies are read within limits of size and time."""

import asyncio
import base64
import hashlib
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from fullconv.batch.memory_gate import MemoryGate
from fullconv.errors import OutputError
from fullconv.serving import Problem
from fullconv.serving._body import Body, file_name
from fullconv.serving._forms import OPTIONS
from fullconv.serving._photo_body import read_photo
from fullconv.serving._problems import ClientLeftError
from serving_models import make_service, run_async

LIMITS = {"max_body": 1000, "body_pause": 0.05, "body_seconds": 0.2}


def read(chunks, kind="application/octet-stream", limits=LIMITS, length=None, end=True):
    """Read a body of chunks; a number among them is a pause in seconds, None a client that left."""
    headers = [(b"content-type", kind.encode())] if kind is not None else []
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    pending = list(chunks)
    consumed, ended = [], []

    async def receive():
        while pending and isinstance(pending[0], float):
            await asyncio.sleep(pending.pop(0))
        if not pending:
            if not end or ended:
                await asyncio.sleep(60)
            ended.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        chunk = pending.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        consumed.append(chunk)
        return {"type": "http.request", "body": chunk, "more_body": True}

    read.consumed = consumed
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    service = make_service({}, **limits)
    try:
        return run_async(read_photo(service, Request(scope, receive)))
    finally:
        service.close()


def refused(status, *args, **kwargs):
    with pytest.raises(Problem) as caught:
        read(*args, **kwargs)
    assert caught.value.status == status
    return caught.value


def content(body):
    return body.open(lambda path, data: path.read_bytes() if data is None else data)


def test_chunks_are_joined():
    body = read([b"abc", b"", b"def"])
    assert content(body) == b"abcdef" and body.size == 6
    assert body.digest == hashlib.sha256(b"abcdef").hexdigest()


def test_a_long_body_is_refused_by_its_header_before_it_is_read():
    problem = refused(413, [b"x"], length=1001)
    assert problem.detail == "the body is longer than 1000 B, which is the limit"
    assert not read.consumed


def test_a_long_body_is_refused_as_it_is_counted():
    refused(413, [b"x" * 400] * 100, length=5)
    assert len(read.consumed) == 3
    refused(413, [b"x" * 400] * 100)


def test_a_pause_ends_a_body():
    problem = refused(408, [b"a", 0.2, b"b"])
    assert problem.headers["Connection"] == "close"


def test_a_drop_at_a_time_does_not_take_for_ever():
    refused(408, [b"a", 0.03] * 30)


def test_a_client_that_leaves():
    with pytest.raises(ClientLeftError):
        read([b"a", None])


def test_an_empty_body_is_refused():
    assert refused(400, []).detail == "an empty body; expected a photo"


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "video/mp4", "image"])
def test_other_types_are_refused(kind):
    assert f"a body of type {kind}" in refused(415, [b"x"], kind).detail


@pytest.mark.parametrize("kind", ["", "image/jpeg", "IMAGE/PNG; a=b", "application/octet-stream"])
def test_types_of_photos(kind):
    assert content(read([b"x"], kind)) == b"x"


def test_base64_in_json():
    text = json.dumps({"image": base64.b64encode(b"abc").decode()}).encode()
    assert content(read([text], "application/json")) == b"abc"
    for wrong, sentence in {
        b"{": "the body is not JSON",
        b"\xff": "the body is not JSON",
        b"[1]": "the JSON is a list; expected an object",
        b'{"image": 1}': '"image" is not a text',
        b'{"image": "*"}': '"image" is not base64',
        b'{"image": "", "image": ""}': "the body is not JSON",
        b'{"url": "http://a/b.png"}': 'JSON with the fields url; expected "image" alone',
        b"[" * 900: "the body is not JSON",
    }.items():
        assert refused(400, [wrong], "application/json").detail.startswith(sentence), wrong


def form(*parts, boundary="xx"):
    lines = []
    for name, file, data, *headers in parts:
        extra = f'; filename="{file}"' if file is not None else ""
        head = [f'Content-Disposition: form-data; name="{name}"{extra}', *headers]
        lines.append(f"--{boundary}\r\n" + "\r\n".join(head) + "\r\n\r\n" + data + "\r\n")
    return ("".join(lines) + f"--{boundary}--\r\n").encode()


FORM = "multipart/form-data; boundary=xx"


def test_a_form_with_one_file():
    body = read([form(("note", None, "hello"), ("file", "a/b.png", "abc"))], FORM)
    assert content(body) == b"abc" and body.name == "b.png"


@pytest.mark.parametrize("name", OPTIONS)
def test_options_in_a_form_are_refused(name):
    sent = form((name, None, "overlay"), ("file", "a.png", "abc"))
    problem = refused(400, [sent], FORM)
    expected = f"expected it in the query of the URL: ?{name}=overlay"
    assert problem.detail == f"{name} is a field of the form; {expected}"
    named = form((name, "a.png", "abc"))  # a file may have any name
    assert content(read([named], FORM)) == b"abc"


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data"])
def test_a_disk_without_room_is_named(monkeypatch, tmp_path, kind):
    monkeypatch.setattr("fullconv.serving._body.IN_MEMORY", 8)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    sent = form(("file", "a.png", "x" * 500))
    with pytest.raises(OutputError, match="cannot keep the body in a temporary file"):
        read([sent], FORM if kind.startswith("multipart") else kind)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [("note", None, "hello")],
        [("a", "a.png", "x"), ("b", "b.png", "y")],
        [(f"f{i}", None, "x") for i in range(9)] + [("a", "a.png", "x")],
        [("f", None, "x" * 1025), ("a", "a.png", "x")],
        [("a", "a.png", "x", *(f"X-{i}: y" for i in range(17)))],
        [("a", "a.png", "x", "X: " + "y" * 5000)],
    ],
    ids=["empty", "no file", "two files", "nine fields", "long field", "many headers", "long line"],
)
def test_forms_with_too_much_or_too_little(parts):
    limits = {"max_body": 10_000}
    refused(400, [form(*parts)], FORM, limits)


@pytest.mark.parametrize("charset", ["undefined", "idna", "hex", "none", "utf-16"])
def test_a_strange_charset_of_a_form_is_no_unexpected_error(charset):
    sent = form(("note", None, "\u00e9..a"), ("file", "\u00e9..a.png", "abc"))
    try:
        assert content(read([sent], f"{FORM}; charset={charset}")) == b"abc"
    except Problem as problem:
        assert problem.status == 400 and "the form" in problem.detail


def test_broken_forms():
    limits = {"max_body": 100_000}
    whole = form(("a", "a.png", "x"))
    refused(400, [whole], "multipart/form-data")
    refused(400, [whole], "multipart/form-data; boundary=" + "x" * 300)
    refused(400, [b"no form"], FORM, limits)
    refused(400, [form(*[(f"f{i}", None, "x") for i in range(1000)])], FORM, limits)


def test_file_names_are_names_in_one_line():
    assert file_name("../../etc/passwd") == "passwd"
    assert file_name("C:\\photos\\a.png") == "a.png"
    assert file_name("a\nb\x1b.png") == "a\\nb\\x1b.png"
    assert file_name("") == file_name(None) == file_name("..") == "photo"
    assert len(file_name("x" * 5000)) == 200


def test_large_bodies_are_kept_on_the_disk(monkeypatch):
    monkeypatch.setattr("fullconv.serving._body.IN_MEMORY", 8)
    body = Body(MemoryGate(100), "a.png")
    for chunk in (b"12345", b"67890", b"x"):
        body.append(chunk)
    paths = []
    body.open(lambda path, data: paths.append(path) or data)
    assert content(body) == b"1234567890x" and paths[0].exists()
    body.close()
    assert not paths[0].exists()


def test_what_does_not_fit_the_memory_goes_to_the_disk_with_what_came_before():
    memory = MemoryGate(10)
    first, second = Body(memory), Body(memory)
    for body, chunk in ((first, b"1234567"), (second, b"abc"), (second, b"d"), (first, b"890")):
        body.append(chunk)
    assert content(first) == b"1234567890" and content(second) == b"abcd"
    assert memory.planned == 10  # "d" did not fit, so all of the second are on the disk
    first.close()
    first.close()
    assert memory.planned == 0
    second.close()


def test_a_closed_body_takes_nothing():
    memory = MemoryGate(10)
    body = Body(memory)
    body.append(b"123")
    body.close()
    body.append(b"456")  # by a thread that has not heard of it
    assert memory.planned == 0 and content(body) == b""


PHOTO = bytes(range(1, 40)) * 3
BODIES = {
    "multipart/form-data; boundary=ab": b"--ab\r\nContent-Disposition: form-data; name=f; "
    b'filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + PHOTO + b"\r\n--ab--\r\n",
    "application/json": json.dumps({"image": base64.b64encode(PHOTO).decode()}).encode(),
    "image/png": PHOTO,
}
PATIENT = {"max_body": 1000, "body_pause": 60, "body_seconds": 60}
EDITS = st.tuples(st.integers(0, 300), st.integers(0, 40), st.binary(max_size=20))


def chunked(content, cuts):
    places = sorted({0, *(cut % (len(content) + 1) for cut in cuts), len(content)})
    return [content[start:end] for start, end in pairwise(places)]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(sorted(BODIES)), st.lists(st.integers(0, 400), max_size=8))
def test_a_body_in_any_chunks_is_the_same(kind, cuts):
    assert content(read(chunked(BODIES[kind], cuts), kind, PATIENT)) == PHOTO


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(sorted(BODIES)),
    st.lists(EDITS, min_size=1, max_size=4),
    st.lists(st.integers(0, 400), max_size=8),
    st.sampled_from(["", "boundary", ";", "\xff", "\r\n", "=" * 80]),
)
def test_a_damaged_body_is_read_or_refused(kind, edits, cuts, ending):
    damaged = BODIES[kind]
    for place, removed, added in edits:
        damaged = damaged[:place] + added + damaged[place + removed :]
    try:
        found = read(chunked(damaged, cuts), kind + ending, PATIENT)
    except Problem as problem:
        assert problem.status in {400, 413, 415} and problem.detail
    else:
        assert 0 < found.size <= len(damaged)
        found.close()
