"""The system's browsers beside Chromium, with one interface; see `webdriver.py`."""

from contextlib import contextmanager

from firefox import open_firefox
from webkit import open_webkit

NAMES = ("firefox", "webkit")


@contextmanager
def open_session(name, folder):
    """Open a window of a browser; skip the test without it.

    Args:
        name: one of `NAMES`.
        folder: for its files.
    """
    opened = open_firefox(folder / "profile") if name == "firefox" else open_webkit()
    with opened as session:
        yield session
