"""What a node is given, and what comes of it: as it is recorded, and as people are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from handlers.registry import Instant
from handlers.workflow_runs.recording import Recorder
from storage.workflow_runs import NodeRow

# What is larger belongs into a document or a table, and the node gives where it is.
MOST_OUTPUT = 64 * 1024

Json = dict[str, Any]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a node: what it gives at a port, or the code and the message of why it could not be done."""

    started_at: Instant
    finished_at: Instant
    attempts: int = 1
    port: str | None = None
    output: Any = None
    shown: Any = None
    code: str | None = None
    message: str | None = None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a node gives, at which of its ports; `shown` is what it was given, for people."""

    output: Any = None
    port: str = "out"
    shown: Any = None


@dataclass(frozen=True)
class Task:
    """A node that is to be done. `place` is its id, and in a loop's body which item it is for; `values` are what
    expressions see; `came` is what the nodes gave that led here, by their ids."""

    run: Any
    recorder: Recorder
    node: str
    place: str
    form: Json
    values: Mapping[str, Any]
    came: Mapping[str, Any]
    depth: int
    attempt: int = 1

    @property
    def key(self) -> str:
        """The same however often the node is done in this run: for those that do something only once."""
        return f"{self.run.id}:{self.place}"

    @property
    def params(self) -> Json:
        return self.form.get("params") or {}


def running(task: Task, *, state: str = "running") -> NodeRow:
    return NodeRow(task.place, task.node, state)


def ended(node: str, place: str, outcome: Outcome) -> NodeRow:
    """As people see it."""
    return NodeRow(
        place,
        node,
        "succeeded" if outcome.code is None else "failed",
        attempts=outcome.attempts,
        port=outcome.port,
        input=text_of(outcome.shown),
        output=text_of(outcome.output),
        error_code=outcome.code,
        error_message=outcome.message,
        started_at=outcome.started_at,
        finished_at=outcome.finished_at,
    )


def text_of(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
