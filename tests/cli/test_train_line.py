"""The line that shows the progress of a training fits into the terminal."""

import pytest

from fullconv.cli import _train_line
from fullconv.cli._train_line import ProgressLine, activity, format_left


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_it_fits_and_a_bar_uses_what_is_left(width):
    line = ProgressLine(began=_train_line.time.monotonic() - 232)
    text = "epoch 123  step 1,234/2,310  loss 0.412"
    line.progress(text, 0.5, 250)
    shown = line.line(width)
    assert len(shown) < width
    if width >= 80:
        assert text in shown and "3:52" in shown and "about 4 min left" in shown
        assert shown.count("━") == pytest.approx(shown.count("─"), abs=1) and "━" in shown


def test_an_activity_has_no_bar_and_no_end():
    line = ProgressLine()
    line.progress("step 3/9", 0.3, 60)
    line.activity("reading 60 masks")
    assert line.line(80) == "reading 60 masks  0:00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "10 s"), (44, "40 s"), (200, "3 min"), (3700, "1 h 02 min")],
)
def test_remaining_times_are_rounded(seconds, text):
    assert format_left(seconds) == f"about {text} left"


def test_without_a_terminal_only_what_takes_long_is_printed(capsys, monkeypatch):
    with activity("reading quickly"):
        pass
    monkeypatch.setattr(_train_line, "SILENT_SECONDS", 0.0)
    with activity("reading 60 masks"):
        _train_line.time.sleep(0.2)
    assert capsys.readouterr().out == "reading 60 masks ...\n"
