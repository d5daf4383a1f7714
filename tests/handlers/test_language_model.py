"""The language model: what is taken of its answers, and what is said where there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from receivers import Receiver, Reply, receiving

from handlers.language_model import LanguageModel, LanguageModelFailed, numbers_in, says_the_same
from handlers.outgoing import OutgoingHttp, OutgoingPolicy

OURS = "Sales of 'north' fell by 12.5 % to 1,204 between 2024-03-01 and 2024-06-30 (q = 0.003, n = 640)."


@pytest.mark.parametrize(
    "theirs",
    [
        "Between 2024-03-01 and 2024-06-30, 'north' sold 12.5 % less: 1,204 (n = 640, q = 0.003).",
        OURS,
        OURS.upper(),
    ],
)
def test_other_words_with_all_figures_are_taken(theirs: str) -> None:
    assert says_the_same(OURS, theirs)


@pytest.mark.parametrize(
    "theirs",
    [
        "",
        OURS.replace("12.5", "12"),
        OURS.replace("1,204", "1204"),
        OURS.replace("n = 640", "many rows"),
        OURS + " That is 3 times as much.",
        OURS.replace("2024-06-30", "2024-06-31"),
        OURS.replace("0.003", "0.03"),
        OURS + " x" * 2000,
    ],
)
def test_words_that_lose_or_add_figures_are_not(theirs: str) -> None:
    assert not says_the_same(OURS, theirs)


def test_names_have_to_stay() -> None:
    assert says_the_same("north leads", "north is first", ["north"])
    assert not says_the_same("north leads", "the top region is first", ["north"])


def test_signs_count_however_they_are_written() -> None:
    assert numbers_in("from −5 to +7") == numbers_in("from -5 to 7")
    assert numbers_in("by -5") != numbers_in("by 5")
    assert not says_the_same("it fell to -999", "it fell to 999")


def play(scenario: Callable[[Receiver, LanguageModel, OutgoingHttp], Awaitable[None]]) -> None:
    async def run() -> None:
        async with receiving() as receiver:
            model = LanguageModel(f"http://127.0.0.1:{receiver.port}/v1", "tiny")
            await scenario(receiver, model, OutgoingHttp(OutgoingPolicy(["127.0.0.1"])))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=401, body=b"{}"), "answered with status 401"),
        (Reply(body=b"<html>"), "something else than sentences"),
        (Reply(body=json.dumps({"choices": []}).encode()), "something else than sentences"),
        (Reply(body=json.dumps({"choices": [{"message": {"content": "[1]"}}]}).encode()), "something else"),
        (Reply(cuts=True), "was not asked"),
    ],
)
def test_failures_are_sentences(reply: Reply, said: str) -> None:
    async def scenario(receiver: Receiver, model: LanguageModel, http: OutgoingHttp) -> None:
        receiver.usual = reply
        with pytest.raises(LanguageModelFailed, match=said):
            await model.rephrase(http, {"a": "1"}, {})

    play(scenario)


def test_it_is_only_asked_where_the_operator_allows() -> None:
    async def scenario(receiver: Receiver, model: LanguageModel, _: OutgoingHttp) -> None:
        with pytest.raises(LanguageModelFailed, match="not a public address"):
            await model.rephrase(OutgoingHttp(), {"a": "1"}, {})
        assert receiver.received == []

    play(scenario)


def test_its_key_is_not_in_its_text() -> None:
    assert "secret" not in repr(LanguageModel("https://models.example.org/v1", "tiny", "secret"))
