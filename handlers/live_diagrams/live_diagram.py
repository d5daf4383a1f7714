"""One diagram that people have open: what is wrong in it is found while they edit, and told to everybody."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable, Sequence

import msgspec

from analysis.workflow.violations import Violation as WorkflowViolation
from crdt.diagram import Violation as ShapeViolation
from crdt.diagram_mirror import DiagramMirror
from crdt.diagram_validation import DiagramValidation
from crdt.room import Room
from handlers.live_diagrams.workflow_checks import WorkflowChecks

logger = logging.getLogger(__name__)

# A pause between two strokes is shorter, and a look at the canvas after a change is longer.
QUIET_SECONDS = 0.2
# Where several people edit without a pause it is looked at this often.
LONGEST_WAIT_SECONDS = 1.0
# A node that is new to the checks takes them a quarter of a millisecond; one just opened is read in several goes.
PLACES_AT_ONCE = 20
# More is nothing that anybody reads, and each look would send it to everybody.
MOST_TOLD = 500
# Texts that came from a document may be of any length.
LONGEST_TEXT = 1_000
TOPIC = "violations"


TOO_LARGE = "diagram.too_large"

Violation = ShapeViolation | WorkflowViolation


class Told(msgspec.Struct):
    """A violation as clients get it."""

    id: str
    code: str
    severity: str
    node: str | None
    edge: str | None
    path: str
    message: str
    fix: str | None


class News(msgspec.Struct, tag=TOPIC):
    """What is wrong in the document as it was at the state vector (base64); `total` counts those left out, too."""

    state_vector: str
    violations: msgspec.Raw
    total: int


class LiveDiagram:
    """Follows a room of the kind diagram. `on_validated` is called with what each look found."""

    def __init__(self, room: Room, on_validated: Callable[[Sequence[Violation]], None]) -> None:
        self._room = room
        self._on_validated = on_validated
        self._loop = asyncio.get_running_loop()
        self._mirror = DiagramMirror(room.doc, self.look_soon)
        self._shape = DiagramValidation(self._mirror)
        self.workflow = WorkflowChecks(self._mirror)
        # Whether the room had updates that waited for others at the last look, and its changes by then.
        self._waited = False
        self._revision = room.revision
        self._told: list[Violation] | None = None
        self._told_json = msgspec.Raw(b"[]")
        self._first = self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(0, self._begin_look)

    def close(self) -> None:
        self._mirror.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # When

    def look_soon(self) -> None:
        """Something changed. Called for each transaction: it must cost next to nothing."""
        self._last = self._loop.time()
        if self._timer is None:
            self._first = self._last
            self._timer = self._loop.call_at(self._last + QUIET_SECONDS, self._look_if_quiet)

    def _look_if_quiet(self) -> None:
        due = min(self._last + QUIET_SECONDS, self._first + LONGEST_WAIT_SECONDS)
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look_if_quiet)
        else:
            self._begin_look()

    def _look_while_waiting(self) -> None:
        """What an update brings that waited for another is told by no event: the room's count of changes tells."""
        if self._room.revision != self._revision:
            self._begin_look()
        else:
            self._timer = self._loop.call_later(LONGEST_WAIT_SECONDS, self._look_while_waiting)

    def _begin_look(self) -> None:
        self._mind_waiting()
        self._look()

    def _mind_waiting(self) -> None:
        is_waiting = bool(self._room.waiting)
        if is_waiting or self._waited:
            self._mirror.read_again()
        self._waited = is_waiting
        self._revision = self._room.revision

    def _look(self) -> None:
        self._timer = None
        try:
            if self._read(PLACES_AT_ONCE):
                self._tell(self._found())
            else:
                # Others have their turn between two parts.
                self._timer = self._loop.call_later(0, self._look)
        except Exception:
            logger.exception("document %d could not be validated", self._room.row_id)

    # What

    def violations_now(self) -> list[Violation]:
        """Everything that is wrong at this moment, whenever it was last looked for."""
        self._mind_waiting()
        self._read(None)
        return self._found()

    def _read(self, most: int | None) -> bool:
        """Whether all was read. Of a diagram that is too large nothing is, and nothing more is said than that."""
        if self._mirror.is_too_large:
            return True
        places = self._mirror.read(most)
        self._shape.read(places)
        self.workflow.read(places)
        return self._mirror.is_read

    def _found(self) -> list[Violation]:
        """Each fault once: errors before warnings, in the order of paths."""
        faults: list[Violation] = [*self._shape.violations()]
        if not any(fault.code == TOO_LARGE for fault in faults):
            faults += self.workflow.violations()
        once = {fault.id: fault for fault in faults}
        return sorted(once.values(), key=lambda fault: (fault.severity, fault.path, fault.code))

    def _tell(self, found: list[Violation]) -> None:
        if found != self._told:
            self._told = found
            self._told_json = msgspec.Raw(msgspec.json.encode([told(each) for each in found[:MOST_TOLD]]))
        vector = b64encode(self._room.state_vector()).decode()
        self._room.post(TOPIC, msgspec.json.encode(News(vector, self._told_json, len(found))))
        self._on_validated(found)
        if self._waited and self._timer is None:
            self._timer = self._loop.call_later(LONGEST_WAIT_SECONDS, self._look_while_waiting)


def told(violation: Violation) -> Told:
    """The violation with its texts cut to a length that can be sent to everybody."""

    def cut(text: str) -> str:
        return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"

    def cut_if_any(text: str | None) -> str | None:
        return None if text is None else cut(text)

    return Told(
        cut(violation.id),
        violation.code,
        violation.severity,
        cut_if_any(violation.node),
        cut_if_any(violation.edge),
        cut(violation.path),
        cut(violation.message),
        cut_if_any(violation.fix),
    )
