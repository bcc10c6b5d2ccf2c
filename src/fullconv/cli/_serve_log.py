"""Log lines of `fullconv serve`, on standard error."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from fullconv.errors import ConfigError, printable

FORMS = ("text", "json")


def check_form(form: str) -> None:
    """Check --log.

    Raises:
        ConfigError: it is unknown.
    """
    if form not in FORMS:
        raise ConfigError(f"--log {form[:40]}: expected text or json")


@contextmanager
def logging_to_stderr(form: str, quiet: bool) -> Iterator[None]:
    """Write the server's log lines; only warnings and errors if `quiet`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    loggers = {
        logging.getLogger("fullconv.serving"): logging.WARNING if quiet else logging.INFO,
        logging.getLogger("uvicorn"): logging.WARNING,
        logging.getLogger("asyncio"): logging.ERROR,
        logging.getLogger("py.warnings"): logging.ERROR,  # such as Pillow's of damaged EXIF data
    }
    logging.captureWarnings(True)
    for logger, level in loggers.items():
        logger.setLevel(level)
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger in loggers:
            logger.removeHandler(handler)
            logger.propagate = True


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return a line: time, level if it is no information, message, and a traceback."""
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        lines = [f"{_time(record)} {level}{printable(record.getMessage())}"]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        return "\n".join(lines)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return a line of JSON."""
        values: dict[str, object] = {"time": _time(record), "level": record.levelname.lower()}
        values |= getattr(record, "facts", None) or {"message": record.getMessage()}
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
