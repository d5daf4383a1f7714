"""Events as messages of syslog (RFC 5424), each framed by its length (RFC 6587, section 3.4.1; RFC 5425, 4.3)."""

from __future__ import annotations

import json
from datetime import UTC

from handlers import ocsf
from handlers.event_exports.shapes import Item

# "log audit".
_FACILITY = 13
# By how severe OCSF says that it is: informational, notice, warning, error, critical.
_SEVERITIES = {ocsf.INFORMATIONAL: 6, ocsf.LOW: 5, ocsf.MEDIUM: 4, ocsf.HIGH: 3, ocsf.CRITICAL: 2}
_APPLICATION = "collab-studio"
# Of enterprise numbers the one that stands for none (RFC 5612): names without a number are IANA's to give.
_DATA_ID = "event@32473"
_LONGEST_HOST = 255


def framed(item: Item, host: str) -> bytes:
    """The message with its length before it. `host` is who sends it."""
    message = written(item, host)
    return b"%d %b" % (len(message), message)


def written(item: Item, host: str) -> bytes:
    """The message. Its text is the event in JSON, all ASCII: other letters would need a mark that few parsers skip."""
    priority = _FACILITY * 8 + _SEVERITIES[item.event["severity_id"]]
    at = item.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parameters = {"stream": item.stream, "number": str(item.number), "mark": item.mark}
    if item.previous is not None:
        parameters["previous"] = item.previous
    data = "".join(f' {name}="{_escaped(value)}"' for name, value in parameters.items())
    text = json.dumps(item.event, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    head = f"<{priority}>1 {at} {_printable(host)} {_APPLICATION} - {item.kind} [{_DATA_ID}{data}]"
    return f"{head} {text}".encode("ascii")


def _escaped(value: str) -> str:
    """As a parameter's value; streams are in ASCII, as names of feeds are."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _printable(host: str) -> str:
    return "".join(letter for letter in host if "!" <= letter <= "~")[:_LONGEST_HOST] or "-"
