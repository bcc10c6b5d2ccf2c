"""JSON is parsed as the memory for bodies allows, and what is parsed counts."""

import asyncio
import json
import tracemalloc
from contextlib import closing
from threading import get_ident

import pytest
from starlette.requests import Request

from fullconv.errors import MemoryBudgetError
from fullconv.io.text import parse_json
from fullconv.serving import Problem
from fullconv.serving import _json as serving_json
from fullconv.serving._body import Body
from fullconv.serving._json import (
    json_bytes,
    parse_object,
    parsing_bytes,
    read_json_photo,
    read_object,
)
from serving_models import make_service, run_async

SIZE = 2**15


def sent(content):
    """Return a request with a body."""
    pending = [content]

    async def receive():
        if not pending:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": pending.pop(), "more_body": False}

    return Request({"type": "http", "method": "POST", "path": "/hf", "headers": []}, receive)


@pytest.mark.parametrize(
    "text",
    [
        '{"image":"' + "A" * SIZE + '"}',
        '{"image":"' + "\U0001f600" + "A" * SIZE + '"}',
        '{"image":"' + r"\ud83d\ude00" * (SIZE // 12) + '"}',
        '{"image":"' + r"\n" * (SIZE // 2) + '"}',
        "[" + "5," * (SIZE // 2) + "1]",
        "[" + "2555555," * (SIZE // 8) + "1]",
        "[" + "0.5," * (SIZE // 4) + "1]",
        "[" + "[]," * (SIZE // 3) + "1]",
        "[" + "{}," * (SIZE // 3) + "1]",
        "[" + '{"a":1},' * (SIZE // 8) + "1]",
        "[" + '"ab",' * (SIZE // 5) + "1]",
        "{" + ",".join(f'"{number:x}":1' for number in range(SIZE // 8)) + "}",
    ],
    ids=lambda text: text[:14],
)
def test_no_json_takes_more_than_is_planned(text):
    content = text.encode()
    tracemalloc.start()
    try:
        parse_json(content.decode())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak + len(content) <= json_bytes(content) + 4096


def test_only_the_json_of_a_body_counts_as_json():
    service = make_service({})
    body = Body(service.bodies)
    body.append(b"[1,2]" + b"," * 100)
    assert parsing_bytes(body, 5) == json_bytes(b"[1,2]") + 500
    assert parsing_bytes(body) == json_bytes(b"[1,2]" + b"," * 100)
    body.spool(b"")  # the same from a file
    assert parsing_bytes(body, 5) == json_bytes(b"[1,2]") + 500
    body.close()


def test_what_is_parsed_counts_until_it_is_closed():
    service = make_service({})
    content = json.dumps({"a": [1, 2]}).encode()
    with closing(run_async(read_object(service, sent(content)))) as parsed:
        assert parsed.values == {"a": [1, 2]}
        assert service.planned_bytes == json_bytes(content)
    assert service.planned_bytes == 0
    for wrong in (b"[1]", b"{"):
        with pytest.raises(Problem):
            run_async(read_object(service, sent(wrong)))
    assert service.planned_bytes == 0


def test_json_is_parsed_in_a_thread(monkeypatch):
    threads = []
    monkeypatch.setattr(
        serving_json, "parse_object", lambda text: threads.append(get_ident()) or {}
    )
    run_async(read_object(make_service({}), sent(b"{}"))).close()
    assert threads != [get_ident()]


def test_json_waits_for_other_json():
    service = make_service({}, memory=8000, seconds=30)
    content = json.dumps({"a": "x" * 60}).encode()
    assert service.limits.body_memory // 2 < json_bytes(content) <= service.limits.body_memory

    async def two():
        first = await read_object(service, sent(content))
        second = asyncio.create_task(read_object(service, sent(content)))
        await asyncio.sleep(0.1)
        assert not second.done()
        first.close()
        (await second).close()

    run_async(two())
    assert service.planned_bytes == 0


def test_small_json_does_not_wait_for_large_json():
    service = make_service({}, memory=400_000, seconds=30)
    large, small = (json.dumps({"a": "x" * size}).encode() for size in (3000, 500))
    limits = service.limits
    assert json_bytes(small) <= limits.small_parsing < limits.large_memory < json_bytes(large)

    async def several():
        first = await read_object(service, sent(large))
        second = asyncio.create_task(read_object(service, sent(large)))
        await asyncio.sleep(0.1)
        others = [await read_object(service, sent(small)) for _ in range(4)]
        assert not second.done()
        assert service.small_bodies.planned == 4 * json_bytes(small) <= limits.small_memory
        for parsed in (first, *others):
            parsed.close()
        (await second).close()

    run_async(several())
    assert service.planned_bytes == 0


def test_small_and_large_bodies_share_an_eighth_of_the_memory():
    limits = make_service({}, memory=8003).limits
    assert limits.small_memory + limits.large_memory == limits.body_memory == 1000
    assert limits.body_memory + limits.photo_memory == 8003
    assert limits.small_parsing == 125


def test_json_that_waits_too_long_is_refused_and_leaves_nothing():
    service = make_service({}, memory=8000, seconds=0.1)
    content = json.dumps({"a": "x" * 60}).encode()

    async def two():
        first = await read_object(service, sent(content))
        with pytest.raises(Problem, match="no result within 0"):
            await read_object(service, sent(content))
        first.close()

    run_async(two())
    service.close()
    assert service.planned_bytes == 0


def test_json_that_never_fits_is_refused():
    service = make_service({}, memory=8000)
    content = b'{"a": "' + b"x" * 900 + b'"}'
    with pytest.raises(MemoryBudgetError, match=r"takes up to 8.2 KiB to be parsed.* given is 7.8"):
        run_async(read_object(service, sent(content)))
    assert service.planned_bytes == 0


def test_large_json_takes_memory_of_the_photos():
    service = make_service({}, memory=80_000)
    content = b'{"a": "' + b"x" * 2000 + b'"}'
    parsed = run_async(read_object(service, sent(content)))
    beyond = json_bytes(content) - service.limits.large_memory
    assert service.gate.planned == beyond > 0
    parsed.close()
    assert service.gate.planned == 0


def test_a_photo_in_json_counts_as_a_body():
    service = make_service({})
    find = lambda values: values["a"].encode()  # noqa: E731
    body = run_async(read_json_photo(service, sent(b'{"a": "abc"}'), find))
    assert body.content() == b"abc" and service.planned_bytes == 3
    body.close()
    with pytest.raises(KeyError):
        run_async(read_json_photo(service, sent(b'{"b": "abc"}'), find))
    assert service.planned_bytes == 0


def test_objects_only():
    assert parse_object(b"{}") == {}
    with pytest.raises(Problem, match="the JSON is a list"):
        parse_object(b"[]")
