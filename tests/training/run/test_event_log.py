import json
import math

import pytest

from fullconv.errors import ConfigError, OutputError
from fullconv.training.run.event_log import EventLog


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_every_event_is_a_line_with_kind_step_and_time(tmp_path):
    events = EventLog(tmp_path / "events.jsonl")
    events.add("start", 0, device="cpu")
    events.add("epoch", 8, loss=0.5, names=["a"], inner={"mean_iou": 0.25})
    first, second = lines(events.path)
    assert (first["event"], first["step"], first["device"]) == ("start", 0, "cpu")
    assert second["loss"] == 0.5 and second["inner"] == {"mean_iou": 0.25}
    assert first["time"].endswith("Z") and first["time"] <= second["time"]


def test_a_resumed_run_has_each_event_once(tmp_path):
    path = tmp_path / "events.jsonl"
    whole, cut = EventLog(path), [0, 8, 16, 24]
    for step in cut:
        whole.add("epoch", step, loss=1.0)
    again = EventLog(path, until=16)
    again.add("resume", 16)
    again.add("epoch", 24, loss=1.0)
    found = [(event["event"], event["step"]) for event in lines(path)]
    assert found == [("epoch", 0), ("epoch", 8), ("epoch", 16), ("resume", 16), ("epoch", 24)]
    assert [event["step"] for event in again.of_kind("resume")] == [16]


def test_non_finite_numbers_are_null(tmp_path):
    events = EventLog(tmp_path / "events.jsonl")
    events.add("epoch", 1, mean_iou=math.nan, deep=[{"loss": math.inf}])
    (event,) = lines(events.path)
    assert event["mean_iou"] is None and event["deep"] == [{"loss": None}]
    assert "NaN" not in events.path.read_text()


@pytest.mark.parametrize("text", ["道路", "a\nb", "\u2028", '"}', "\x85", "\ud83d"[:0]])
def test_any_text_survives_the_file(tmp_path, text):
    path = tmp_path / "events.jsonl"
    EventLog(path).add("note", 3, text=text)
    assert [event["text"] for event in EventLog(path).of_kind("note")] == [text]


@pytest.mark.parametrize("line", ["{", "[1]", '{"event": "epoch"}', '{"step": 4}', "\x00\xff"])
def test_an_invalid_file_is_rejected_with_its_line(tmp_path, line):
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "start", "step": 0}\n' + line + "\n")
    with pytest.raises(ConfigError, match=r"events\.jsonl, line 2: expected an event"):
        EventLog(path)


def test_a_failed_write_keeps_the_file(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    events = EventLog(path)
    events.add("start", 0)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OutputError):
        events.add("epoch", 8)
    assert path.read_bytes() == before
