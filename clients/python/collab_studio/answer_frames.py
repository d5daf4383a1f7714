"""Frames about watched operations, among the server's own: the answer, and what changed of it."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

WATCH_OPERATION, ANSWER, ANSWER_CHANGED, ANSWER_CONTINUED = 76, 77, 78, 79
FROM_SERVER = frozenset({ANSWER, ANSWER_CHANGED, ANSWER_CONTINUED})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: it takes the place of what was there."""

    id: int
    sequence: int
    value: Any


@dataclass(frozen=True, slots=True)
class AnswerChanged:
    """A merge patch (RFC 7396) of the answer whose sequence is one less."""

    id: int
    sequence: int
    patch: Any


@dataclass(frozen=True, slots=True)
class AnswerContinued:
    """How the answer whose sequence is one less goes on: see `continued`."""

    id: int
    sequence: int
    points: Any


AnswerMessage = Answer | AnswerChanged | AnswerContinued


def read_answer_message(kind: int, body: dict[str, Any]) -> AnswerMessage:
    """A message of one of the types `FROM_SERVER`. Raises KeyError."""
    if kind == ANSWER:
        return Answer(body["id"], body["sequence"], body["value"])
    if kind == ANSWER_CONTINUED:
        return AnswerContinued(body["id"], body["sequence"], body["points"])
    return AnswerChanged(body["id"], body["sequence"], body["patch"])


def merged(value: Any, patch: Any) -> Any:
    """What the patch makes of the value, which stays as it is (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), change)
    return made


def continued(value: dict[str, Any], points: dict[str, Any]) -> dict[str, Any]:
    """What an answer in columns becomes, which stays as it is: times before `start` leave, those at or after `from` are
    replaced by `times`, every column of `series` with them; `patch` is a merge patch of all the rest."""
    first, end = (bisect_left(value["times"], points[name]) for name in ("start", "from"))
    made: dict[str, Any] = merged({**value, "times": None, "series": None}, points["patch"])
    made["times"] = value["times"][first:end] + points["times"]
    made["series"] = [
        _spliced(line, new, first, end) for line, new in zip(value["series"], points["series"], strict=True)
    ]
    return made


def _spliced(line: dict[str, Any], new: dict[str, Any], first: int, end: int) -> dict[str, Any]:
    made = dict(line)
    for name, value in new.items():
        if isinstance(value, dict):
            made[name] = _spliced(line[name], value, first, end)
        else:
            made[name] = line[name][first:end] + value
    return made
