"""Positions, batches and what nodes tell each other about feeds."""

from datetime import UTC, datetime

import msgspec
import pytest

from handlers.feed_events import (
    BEGINNING,
    MAX_CARRIED_BYTES,
    Batch,
    FeedEvent,
    Position,
    hint_of,
    holds_all_after,
    parse_position,
    position_of,
    read_hint,
    why_not,
)
from handlers.registry import InvalidRequest
from storage.feeds import Feed

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def event(offset: int, text: str = "") -> FeedEvent:
    return FeedEvent(offset=offset, type="a", at=NOW, actor=None, data={"text": text})


def feed(*, oldest: int = 1, head: int = 9) -> Feed:
    return Feed(1, "lab/builds", "now", head, oldest, NOW)


@pytest.mark.parametrize(
    "position", [Position("a1b2", 17), BEGINNING, Position("odd:epoch", 0), Position("e", 2**63 - 1)]
)
def test_a_position_is_read_as_it_was_written(position: Position) -> None:
    assert parse_position(str(position), "since") == position


@pytest.mark.parametrize("text", ["", "7", ":", "e:", "e:-1", "e:1.5", "e:٣", "e:9223372036854775808", f"{'e' * 65}:1"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a position; use `epoch:offset`") as refused:
        parse_position(text, "since")
    assert refused.value.details == {"parameter": "since"}


@pytest.mark.parametrize(
    ("position", "held", "reason"),
    [
        (Position("now", 9), feed(), None),
        (Position("now", 0), feed(), None),
        (Position("now", 4), feed(oldest=5), None),
        (Position("now", 9), feed(oldest=10), None),
        (BEGINNING, feed(), None),
        (BEGINNING, None, None),
        (Position("now", 10), feed(), "beyond the newest event, 9"),
        (Position("now", 3), feed(oldest=5), "still held is 5"),
        (BEGINNING, feed(oldest=2), "still held is 2"),
        (Position("then", 4), feed(), "made anew"),
        (Position("", 4), feed(), "made anew"),
        (Position("now", 0), None, "made anew"),
    ],
)
def test_where_a_feed_can_go_on_from(position: Position, held: Feed | None, reason: str | None) -> None:
    assert holds_all_after(held, position) == (reason is None)
    assert reason is None or reason in why_not(held, position)


def test_where_a_feed_is() -> None:
    assert position_of(None) == BEGINNING
    assert position_of(feed(head=4)) == Position("now", 4)


def test_a_batch_is_cut_and_encoded_once() -> None:
    batch = Batch("e", [event(4), event(5), event(6)])
    assert batch.after(2) is batch.after(3) is batch
    assert [event.offset for event in batch.after(4).events] == [5, 6]
    made: list[Batch] = []

    def encode(one: Batch) -> bytes:
        made.append(one)
        return b"x"

    assert batch.form(encode) == batch.form(encode) == b"x"
    assert made == [batch]


def test_nodes_tell_each_other_events_or_only_how_far_they_go() -> None:
    small = Batch("e", [event(4), event(5)])
    assert read_hint(hint_of(small)).events == small.events
    large = Batch("e", [event(4, "x" * (MAX_CARRIED_BYTES // 2)), event(5, "x" * (MAX_CARRIED_BYTES // 2))])
    hint = read_hint(hint_of(large))
    assert (hint.epoch, hint.head, hint.events) == ("e", 5, [])
    with pytest.raises(msgspec.MsgspecError):
        read_hint(b"\x93\x01\x02\x03")
