"""Frames about watched operations, among the server's own: the answer, and what changed of it."""

from dataclasses import dataclass
from typing import Any

WATCH_OPERATION, ANSWER, ANSWER_CHANGED = 76, 77, 78
FROM_SERVER = frozenset({ANSWER, ANSWER_CHANGED})


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


AnswerMessage = Answer | AnswerChanged


def read_answer_message(kind: int, body: dict[str, Any]) -> AnswerMessage:
    """A message of one of the types `FROM_SERVER`. Raises KeyError."""
    if kind == ANSWER:
        return Answer(body["id"], body["sequence"], body["value"])
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
