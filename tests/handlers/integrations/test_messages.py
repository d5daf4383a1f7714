"""What is sent of an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from handlers.event_patterns import matches
from handlers.integrations.messages import body_of, read_body, slack_body, subject_of, text_of
from storage.feeds import Event

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
BODY = body_of("lab", "activity", "e1", Event(7, "member.added", AT, "ada", {"user_id": "bob", "note": "<b> & c"}))


def test_the_body() -> None:
    assert json.loads(BODY) == {
        "type": "member.added",
        "timestamp": "2026-03-01T09:00:00Z",
        "workspace_id": "lab",
        "feed": "activity",
        "position": "e1:7",
        "actor": "ada",
        "data": {"user_id": "bob", "note": "<b> & c"},
    }


def test_for_people() -> None:
    envelope = read_body(BODY)
    assert subject_of(envelope) == "[lab] member.added"
    assert text_of(envelope) == (
        "member.added in lab/activity\nby ada, 2026-03-01 09:00:00 UTC\nuser_id: bob\nnote: <b> & c"
    )
    text = json.loads(slack_body(envelope))["text"]
    assert text.startswith("*member.added in lab/activity*\n")
    assert text.endswith("note: &lt;b&gt; &amp; c")


def test_much_data_is_cut() -> None:
    data = {f"k{at}": {"x": "y" * 1000} for at in range(50)}
    text = text_of(read_body(body_of("lab", "a", "e", Event(1, "t", AT, None, data))))
    assert "by the server" in text
    assert text.endswith("and 30 more") or len(text) == 3000


@pytest.mark.parametrize(
    ("name", "patterns", "expected"),
    [
        ("activity", ["activity"], True),
        ("activity", ["act"], False),
        ("alerts.performance", ["alerts.*"], True),
        ("alerts", ["alerts.*"], False),
        ("x", ["a", "*"], True),
        ("x", [], False),
        ("a?c", ["a?c"], True),
        ("abc", ["a?c"], False),
        ("b", ["[abc]"], False),
        ("[abc]", ["[abc]"], True),
        ("Activity", ["activity"], False),
    ],
)
def test_patterns(name: str, patterns: list[str], expected: object) -> None:
    assert matches(name, patterns) is expected
