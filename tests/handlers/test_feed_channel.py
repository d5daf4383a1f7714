"""One feed's watches on one node, stepped without a bus and without a database."""

from datetime import UTC, datetime

import pytest
from feed_nodes import Panel, principal_of

from handlers.feed_channel import FeedChannel, State, Watch
from handlers.feed_events import BEGINNING, Batch, FeedEvent, Position
from storage.feeds import Feed

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def batch(first: int, last: int, epoch: str = "e") -> Batch:
    events = [FeedEvent(offset=n, type=f"{epoch}{n}", at=NOW, actor=None, data={}) for n in range(first, last + 1)]
    return Batch(epoch, events)


def feed(head: int, *, epoch: str = "e", oldest: int = 1) -> Feed:
    return Feed(1, "lab/builds", epoch, head, oldest, NOW)


class Stage:
    """A channel at a position, and those who watch it."""

    def __init__(self, position: Position | None) -> None:
        self.ended: list[Watch] = []
        self.channel = FeedChannel("lab/builds", self.ended.append)
        self.channel.position = position

    def enter(self, position: Position, state: State = State.LIVE) -> Panel:
        panel = Panel()
        watch = Watch(self.channel, panel, principal_of("ann"), "lab")
        self.channel.watches.add(watch)
        watch.begin(position, recovered=False)
        watch.state = state
        return panel


def test_the_next_event_is_given_to_who_is_live() -> None:
    stage = Stage(Position("e", 4))
    live, behind = stage.enter(Position("e", 4)), stage.enter(Position("e", 2), State.BEHIND)
    assert stage.channel.hear("e", 6, batch(5, 6))
    assert (live.offsets, behind.offsets, stage.channel.head) == ([5, 6], [], 6)


@pytest.mark.parametrize(
    ("epoch", "head", "heard"),
    [
        ("e", 7, batch(6, 7)),  # not the next
        ("e", 5, None),  # too large to be carried
        ("f", 5, batch(5, 5, "f")),  # of another life
        ("f", 2, batch(1, 2, "f")),
    ],
)
def test_anything_else_is_asked_of_the_database(epoch: str, head: int, heard: Batch | None) -> None:
    stage = Stage(Position("e", 4))
    panel = stage.enter(Position("e", 4))
    assert not stage.channel.hear(epoch, head, heard)
    assert (panel.events, stage.channel.position) == ([], Position("e", 4))


def test_a_channel_that_knows_nothing_believes_nothing() -> None:
    stage = Stage(None)
    assert not stage.channel.hear("e", 1, batch(1, 1))
    assert stage.channel.position is None
    assert stage.channel.meet(feed(7), None)
    assert stage.channel.position == Position("e", 7)


def test_what_is_known_is_heard_and_changes_nothing() -> None:
    stage = Stage(Position("e", 4))
    panel = stage.enter(Position("e", 4))
    assert stage.channel.hear("e", 3, batch(2, 3))
    assert stage.channel.hear("e", 6, batch(3, 6))
    assert stage.channel.hear("e", 5, None)
    assert panel.offsets == [5, 6]


def test_the_first_event_ever() -> None:
    stage = Stage(BEGINNING)
    panel = stage.enter(BEGINNING)
    assert not stage.channel.hear("e", 3, batch(2, 3))
    assert stage.channel.hear("e", 2, batch(1, 2))
    assert (panel.offsets, panel.position) == ([1, 2], Position("e", 2))


def test_a_feed_that_was_born_is_read_from_its_beginning() -> None:
    stage = Stage(BEGINNING)
    panel = stage.enter(BEGINNING)
    assert stage.channel.meet(feed(3), BEGINNING)
    assert (stage.channel.position, panel.is_over) == (Position("e", 0), False)


def test_a_feed_that_was_born_and_has_lost_its_first_events_already_cannot_be_followed() -> None:
    stage = Stage(BEGINNING)
    panel = stage.enter(BEGINNING)
    assert stage.channel.meet(feed(3, oldest=2), BEGINNING)
    assert panel.resynced == stage.channel.position == Position("e", 3)
    assert [watch.watcher for watch in stage.ended] == [panel]


def test_a_reading_from_before_is_no_step_back() -> None:
    """While it was read, events were heard of."""
    stage = Stage(Position("e", 6))
    panel = stage.enter(Position("e", 6))
    assert stage.channel.meet(feed(5), Position("e", 4))
    assert stage.channel.meet(feed(5), None)
    assert (panel.is_over, stage.channel.head) == (False, 6)


def test_a_reading_that_may_be_from_another_life_is_done_again() -> None:
    stage = Stage(Position("e", 1))
    panel = stage.enter(Position("e", 1))
    assert not stage.channel.meet(None, BEGINNING)
    assert not stage.channel.meet(feed(9, epoch="d"), Position("d", 9))
    assert not panel.is_over


@pytest.mark.parametrize("now", [None, feed(9, epoch="f"), feed(3)])
def test_another_life_and_an_earlier_state_end_all_watches(now: Feed | None) -> None:
    stage = Stage(Position("e", 4))
    states = (State.LIVE, State.BEHIND, State.LAGGING)
    panels = [stage.enter(Position("e", 4), state) for state in states]
    starting = stage.enter(Position("e", 4), State.STARTING)
    assert stage.channel.meet(now, Position("e", 4))
    position = Position(now.epoch, now.head) if now else BEGINNING
    assert [panel.resynced for panel in panels] == [position] * 3
    assert stage.channel.position == position
    assert not starting.is_over


def test_a_watcher_that_is_ahead_of_the_channel_is_given_only_what_it_lacks() -> None:
    stage = Stage(Position("e", 4))
    ahead, level = stage.enter(Position("e", 6)), stage.enter(Position("e", 4))
    stage.channel.advance(batch(5, 7))
    assert (ahead.offsets, level.offsets) == ([7], [5, 6, 7])


def test_who_ends_another_watch_while_events_are_given_out_does_no_harm() -> None:
    stage = Stage(Position("e", 4))

    class Closing(Panel):
        def take(self, batch: Batch) -> None:
            super().take(batch)
            for watch in tuple(stage.channel.watches):
                stage.channel.end(watch)

    panels = [Closing(), Closing()]
    for panel in panels:
        watch = Watch(stage.channel, panel, principal_of("ann"), "lab")
        stage.channel.watches.add(watch)
        watch.begin(Position("e", 4), recovered=False)
        watch.state = State.LIVE
    stage.channel.advance(batch(5, 5))
    assert sorted(panel.offsets for panel in panels) == [[], [5]]
    assert len(stage.ended) == 2
