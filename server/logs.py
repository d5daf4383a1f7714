"""The process's log: one line a record on standard error, as text or as JSON, with credentials taken out."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime

# Browsers can only put a credential into the URL, and URLs are what servers like to log.
_CREDENTIALS = (
    (re.compile(r"((?:token|ticket)=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(bearer[ .])[\w.~+/=-]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"\bcsk_[\w-]+"), "csk_***"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "eyJ***"),
)
# These tell each statement with its values at `debug`, which are people's documents.
_NEVER_BELOW_WARNING = ("aiosqlite", "alembic", "asyncio", "redis", "sqlalchemy")
# This tells each step of its own at `info`; ours are enough.
_DEBUG_ONLY = ("uvicorn",)


def configure(level: str, *, as_json: bool) -> None:
    """Send the whole process's log to standard error at that level; call once, before the first record."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _NEVER_BELOW_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _DEBUG_ONLY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def without_credentials(text: str) -> str:
    """The text with tokens, keys and tickets replaced by `***`."""
    for pattern, replacement in _CREDENTIALS:
        text = pattern.sub(replacement, text)
    return text


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO server.run: message`."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name}: {_one_line(record.getMessage())}"
        return without_credentials("\n".join(filter(None, (line, _exception(record)))))


class JsonFormatter(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_credentials(record.getMessage()),
        }
        if exception := _exception(record):
            entry["exception"] = without_credentials(exception)
        return json.dumps(entry, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(message: str) -> str:
    """A name with a line break in it must not look like a record of its own."""
    return message.replace("\r", "\\r").replace("\n", "\\n")


def _exception(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return record.exc_text or ""
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()
