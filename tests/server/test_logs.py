"""The log's lines: what they hold, and the credentials they never hold."""

from __future__ import annotations

import json
import logging

import pytest

from server.logs import JsonFormatter, TextFormatter, without_credentials

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


def record(message: str, *arguments: object, error: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("server.x", logging.WARNING, __file__, 1, message, arguments, None)
    made.created = 1767268800.5
    if error:
        made.exc_info = (ValueError, ValueError("token=abc"), None)
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"GET /ws?token={JWT} 101",
        f"GET /ws?x=1&ticket={JWT}&y=2",
        f'"Authorization: Bearer {JWT}"',
        f"sec-websocket-protocol: bearer.{JWT}",
        f"connection with {JWT} closed",
    ],
)
def test_credentials_are_taken_out(text: str) -> None:
    assert "c2lnbmF0dXJl" not in without_credentials(text)
    assert "***" in without_credentials(text)


def test_api_keys_are_taken_out() -> None:
    assert without_credentials("key csk_abc-DEF_123 used") == "key csk_*** used"


def test_other_text_is_left_alone() -> None:
    text = "ada opened default/notes?version=3 with 5 tokens"
    assert without_credentials(text) == text


def test_a_text_line() -> None:
    line = TextFormatter().format(record("hello %s", "ada"))
    assert line == "2026-01-01T12:00:00.500Z WARNING server.x: hello ada"


def test_a_line_break_in_a_name_makes_no_second_record() -> None:
    assert "\n" not in TextFormatter().format(record("room %s", "a\n2026-01-01 ERROR forged"))


def test_a_json_line() -> None:
    entry = json.loads(JsonFormatter().format(record("hello %s\nthere", "ada", error=True)))
    assert entry["time"] == "2026-01-01T12:00:00.500Z"
    assert (entry["level"], entry["logger"], entry["message"]) == ("warning", "server.x", "hello ada\nthere")
    assert "ValueError" in entry["exception"]
    assert "abc" not in entry["exception"]
