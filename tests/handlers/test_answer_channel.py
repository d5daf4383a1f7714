"""An answer and its watchers: who is given the whole of it, who a patch, and who nothing."""

from typing import Any

import msgspec
import pytest

from handlers.answer_channel import MAX_ANSWER_BYTES, AnswerChannel, AnswerWatch, Form, Kind
from handlers.registry import Context, Operation, OperationError, Permission, Principal, TooLarge, Watched

LONG = "a text that takes more room than what changes beside it"


class Ask(msgspec.Struct, frozen=True):
    workspace_id: str


class Answer(msgspec.Struct, frozen=True):
    n: int | None
    as_of: int = 0
    text: str = LONG


async def nothing(_context: Context, _request: Ask) -> Answer:
    raise AssertionError


OPERATION = Operation(
    "test.answer",
    Ask,
    Answer,
    nothing,
    "GET /answer",
    Permission.READ,
    "Answer.",
    watched=Watched(frozenset({"scans"})),
)


class Panel:
    def __init__(self) -> None:
        self.is_congested = False
        self.taken: list[tuple[int, bool, Any]] = []

    def take(self, form: Form) -> None:
        self.taken.append((form.sequence, form.kind is Kind.PATCH, form.value))

    def ended(self, error: OperationError) -> None:
        raise AssertionError(error)


def made() -> AnswerChannel:
    return AnswerChannel("key", OPERATION, Ask("lab"), (Permission.READ, "lab"), None)


def watched(channel: AnswerChannel) -> tuple[Panel, AnswerWatch]:
    panel = Panel()
    watch = AnswerWatch(channel, panel, Principal("ada", False, "token"))
    channel.watches.add(watch)
    channel.bring_on(watch)
    return panel, watch


def test_first_the_whole_then_what_changed() -> None:
    channel = made()
    panel, _ = watched(channel)
    assert panel.taken == []
    channel.give(Answer(1))
    channel.give(Answer(2, as_of=7))
    whole = {"n": 1, "as_of": 0, "text": LONG}
    assert panel.taken == [(1, False, whole), (2, True, {"n": 2, "as_of": 7})]
    late, _ = watched(channel)
    assert late.taken == [(2, False, {"n": 2, "as_of": 7, "text": LONG})]


def test_when_it_was_made_is_no_change() -> None:
    channel = made()
    panel, _ = watched(channel)
    channel.give(Answer(1))
    channel.give(Answer(1, as_of=7))
    assert [sequence for sequence, _, _ in panel.taken] == [1]


def test_what_a_patch_cannot_say_or_say_shorter_comes_whole() -> None:
    channel = made()
    panel, _ = watched(channel)
    channel.give(Answer(1))
    channel.give(Answer(None))
    channel.give(Answer(3, as_of=3, text=LONG[::-1]))
    assert [(sequence, is_patch) for sequence, is_patch, _ in panel.taken] == [(1, False), (2, False), (3, False)]


def test_who_lags_gets_the_newest_whole_and_then_patches_again() -> None:
    channel = made()
    panel, watch = watched(channel)
    channel.give(Answer(1))
    panel.is_congested = True
    channel.give(Answer(2))
    channel.give(Answer(3))
    assert len(panel.taken) == 1
    panel.is_congested = False
    channel.bring_on(watch)
    channel.bring_on(watch)
    channel.give(Answer(4))
    assert panel.taken[1:] == [(3, False, {"n": 3, "as_of": 0, "text": LONG}), (4, True, {"n": 4})]
    panel.is_congested = True
    channel.give(Answer(5))
    panel.is_congested = False
    # Nobody said so yet: a patch of an answer that it never had would be worth nothing.
    channel.give(Answer(6))
    assert panel.taken[3:] == [(6, False, {"n": 6, "as_of": 0, "text": LONG})]


def test_an_answer_is_of_limited_size() -> None:
    channel = made()
    with pytest.raises(TooLarge) as refused:
        channel.give(Answer(1, text="x" * MAX_ANSWER_BYTES))
    assert refused.value.code == "answer_too_large"
    assert channel.answer is None


def test_only_what_changes_nothing_can_be_watched() -> None:
    with pytest.raises(ValueError, match="cannot be watched"):
        Operation(
            "test.change",
            Ask,
            Answer,
            nothing,
            "POST /answer",
            Permission.READ,
            "Change.",
            watched=Watched(frozenset({"scans"})),
        )
