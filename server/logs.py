"""The process's log: one line a record on standard error, as text or as JSON, with credentials taken out.

Whatever is logged while a request is served carries its request id.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime

# The id of the request that is being served, over HTTP or over a socket.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# Browsers can only put a credential into the URL, and URLs are what servers like to log.
_CREDENTIALS = (
    (re.compile(r"((?:token|ticket|verifier|secret|[?&](?:code|state|nonce))=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(bearer[ .])[\w.~+/=-]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b(cs[kopt]_)[\w-]+"), r"\1***"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "eyJ***"),
)
# These tell each statement with its values at `debug`, which are people's documents.
_NEVER_BELOW_WARNING = ("aiosqlite", "alembic", "asyncio", "redis", "sqlalchemy")
# This tells each step of its own at `info`; ours are enough.
_DEBUG_ONLY = ("uvicorn",)


def configure(level: str, *, as_json: bool, worker: int | None = None) -> None:
    """Send the whole process's log to standard error at that level; call once, before the first record.

    One of several processes says which `worker` it is; its records then carry that and its process id.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(worker) if as_json else TextFormatter(worker))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _NEVER_BELOW_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _DEBUG_ONLY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def process_name() -> str:
    """What a node is called as long as it has no name of its own."""
    return f"{socket.gethostname()}-{os.getpid()}"


def name_node(node_id: str) -> None:
    """From here on records say that they are this node's."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, JsonFormatter):
            handler.formatter.node = node_id


def without_credentials(text: str) -> str:
    """The text with tokens, keys and tickets replaced by `***`."""
    for pattern, replacement in _CREDENTIALS:
        text = pattern.sub(replacement, text)
    return text


def _without_credentials(fields: dict[str, object]) -> dict[str, object]:
    return {name: without_credentials(value) if isinstance(value, str) else value for name, value in fields.items()}


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO server.run: message`, from a worker `... [INDEX:PROCESS] INFO ...`.

    While a request is served its id stands in brackets behind the logger's name.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._origin = "" if worker is None else f"[{worker}:{os.getpid()}] "

    def format(self, record: logging.LogRecord) -> str:
        message = _one_line(record.getMessage())
        served = request_id.get()
        logger = f"{record.name} [{served}]" if served else record.name
        line = f"{_time(record)} {self._origin}{record.levelname} {logger}: {message}"
        return without_credentials("\n".join(filter(None, (line, _exception(record)))))


class JsonFormatter(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, `node`; of a worker `worker` and `pid`.

    Further `request_id` while a request is served, `exception` if any, and what a record brings in a dict `fields`.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._origin = {} if worker is None else {"worker": worker, "pid": os.getpid()}
        self.node = process_name()

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_credentials(record.getMessage()),
            "node": self.node,
            **self._origin,
            **_without_credentials(getattr(record, "fields", {})),
        }
        if served := request_id.get():
            entry["request_id"] = served
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
