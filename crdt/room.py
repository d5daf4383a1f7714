"""The live document: engine state, members, presence, and what waits to be sent and stored.

Synchronous all the way through: members' bytes go in, finished frames go to the members' ``write``, and accepted
updates wait in ``outbox`` until the log has them. Nothing here waits, so nothing interleaves and nothing needs a lock.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pycrdt import Doc, merge_updates

from crdt import sync
from crdt.awareness import Awareness
from crdt.guard import Guard, deletion_of
from crdt.id_ranges import IdRanges, deleted_in
from crdt.lib0 import MalformedError
from crdt.log_position import LogPosition
from crdt.update import MalformedUpdate, UpdateShape, check_state_vector, inspect_update

# merge_updates grows faster than the number of updates, and every frame costs every member a system call: between.
MERGE_AT_MOST = 256
# The engine joins n chained items of one transaction in steps whose memory, n * n / 2 bytes, it keeps.
APPLY_AT_MOST = 64

AnyDoc = Doc[Any]
Write = Callable[[bytes], object]

LIVE, SYNCED, HTTP, RESTORE, SYSTEM = range(5)
"""Origins of an update: typed over a socket, synced over a socket, an HTTP edit, a restore, the server itself."""


class Framing(Protocol):
    """Turns a message into the bytes that go on the wire of every member with this framing."""

    def wrap(self, message: bytes) -> bytes: ...


class Member(Protocol):
    """One connection's place in a room."""

    @property
    def user(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def framing(self) -> Framing: ...
    @property
    def write(self) -> Callable[[bytes], object]: ...
    @property
    def echo_means_stored(self) -> bool:
        """Its client takes its own update, coming back, for the word that it is safe."""

    def stored(self, updates: list[bytes]) -> None:
        """These updates of the member are on disk."""

    def tell(self, news: bytes) -> None:
        """Something about the document that is not in it, as JSON."""

    def slow_down(self, seconds: float) -> None:
        """The member's updates took the engine long: take no more of them for a while."""

    def refuse(self, reason: str) -> None:
        """An update of the member was not accepted; the member is to be parted from this document."""

    def come_back(self, reason: str) -> None:
        """The room is of no use any more; the member is to be parted from it, and to connect again."""


@dataclass(slots=True, eq=False)
class Arrival:
    """An accepted update on its way to the engine, to the members and to the log. Times are epoch microseconds."""

    member: Member | None
    author: str
    origin: int
    created_at: int
    data: bytes
    shape: UpdateShape
    # One message of a member may be stored as several updates; only the last answers the member.
    answers: bool = True
    # Called with its number once it is on disk, or with None if the document was deleted before.
    on_stored: Callable[[int | None], None] | None = None


class Room:
    """One document, live. ``position`` says which numbers of its log are in it."""

    def __init__(self, row_id: int, doc: AnyDoc, number: int, size: int, awareness: Awareness | None = None) -> None:
        self.row_id = row_id
        self.doc = doc
        self.position = LogPosition(number)
        self.size = size
        self.members: dict[Framing, dict[Member, Callable[[bytes], object]]] = {}
        self.awareness = awareness or Awareness()
        self.inbox: list[Arrival] = []
        self.outbox: list[Arrival] = []
        self.storing: list[Arrival] = []
        self.waiting: list[Arrival] = []
        # Members whose connection takes nothing more at the moment, and the state vector that they will have then.
        self.held_back: dict[Member, bytes] = {}
        # Members whose connection is behind: of presence they get only the newest, later, and only if they missed any.
        self.muted: dict[Member, bool] = {}
        self.clocks: dict[int, int] = check_state_vector(doc.get_state())
        # When the last turn ended, in epoch microseconds.
        self.flushed_at = 0
        # How many updates it took in.
        self.last_turn = 0
        # Edits that come over HTTP continue one client of their own, so that they do not add a client each.
        self.editor = doc.client_id
        # The engine and the log may differ: nobody may join, and the document is to be loaded again.
        self.is_broken = False
        # The document is being closed: nobody may join, and nothing more is taken.
        self.is_closed = False
        self.guard = Guard(doc.get_update)
        # What the document is, as far as that is known.
        self.kind: str | None = None
        # What the server has to say about the document at the moment, by topic: it is told, and is not in it.
        self.news: dict[str, bytes] = {}
        # Counts the changes since the room was loaded.
        self.revision = 0
        self._state: bytes | None = None
        self._state_vector: bytes | None = None
        self._state_frames: dict[Framing, bytes] = {}
        self._deleted: IdRanges | None = None

    @property
    def number(self) -> int:
        """The log number up to which everything stored is in the room."""
        return self.position.until

    def recall_waiting(self, updates: Iterable[bytes]) -> None:
        """After a load: which of these stored updates the engine still holds back for want of a predecessor."""
        for data in updates:
            shape = inspect_update(data)
            if not is_integrated(shape, self.clocks):
                self.waiting.append(Arrival(None, "", SYSTEM, 0, data, shape))

    # Members

    def join(self, member: Member) -> None:
        self.members.setdefault(member.framing, {})[member] = member.write

    def leave(self, member: Member, now: float) -> None:
        group = self.members.get(member.framing)
        if group is not None:
            group.pop(member, None)
            if not group:
                del self.members[member.framing]
                self._state_frames.pop(member.framing, None)
        self.held_back.pop(member, None)
        self.muted.pop(member, None)
        self.awareness.leave(member, now)

    def has(self, member: Member) -> bool:
        return member in self.held_back or member in self.members.get(member.framing, ())

    def everybody(self) -> list[Member]:
        return [*(member for group in self.members.values() for member in group), *self.held_back]

    def hold_back(self, member: Member) -> None:
        """The member's connection is full: send it nothing until ``catch_up``, and keep nothing for it either."""
        group = self.members.get(member.framing)
        if group is not None and member in group:
            del group[member]
            if not group:
                del self.members[member.framing]
            self.held_back[member] = self.state_vector()

    def catch_up(self, member: Member) -> list[bytes]:
        """The member's connection takes bytes again: what it missed, as one update and one presence."""
        state_vector = self.let_back(member)
        has_missed_presence = self.muted.pop(member, False) or state_vector is not None
        messages = [] if state_vector is None else [sync.update_message(self.state_since(state_vector))]
        if has_missed_presence:
            self.tell_news(member)
        present = self.awareness.encode_all() if has_missed_presence else None
        return messages if present is None else [*messages, sync.awareness_message(present)]

    def let_back(self, member: Member) -> bytes | None:
        """Send the member everything again from here on; the state vector that it was held back at, if it was."""
        state_vector = self.held_back.pop(member, None)
        if state_vector is not None:
            self.join(member)
        return state_vector

    def mute(self, member: Member) -> None:
        """The member's connection does not take bytes as fast as it is sent some: no presence until ``catch_up``."""
        if self.has(member):
            self.muted.setdefault(member, False)

    # What the server says about the document

    def post(self, topic: str, news: bytes) -> None:
        """Tell everybody; whoever comes later, or is behind, is told the newest of each topic."""
        self.news[topic] = news
        for group in self.members.values():
            for member in group:
                if member in self.muted:
                    self.muted[member] = True
                else:
                    member.tell(news)

    def tell_news(self, member: Member) -> None:
        for news in self.news.values():
            member.tell(news)

    # What a joiner needs

    def state_vector(self) -> bytes:
        if self._state_vector is None:
            self._state_vector = self.doc.get_state()
        return self._state_vector

    def state(self) -> bytes:
        """The whole document as one update, encoded once for all that ask before the next change."""
        if self._state is None:
            state = self.doc.get_update()
            if self.waiting:
                # The engine leaves out what still waits for something before it; a joiner must get that too.
                state = merge_updates(state, *(arrival.data for arrival in self.waiting))
            self._state = state
        return self._state

    def state_since(self, state_vector: bytes) -> bytes:
        """What a client with this state vector lacks. Raises MalformedError on a hostile one."""
        if state_vector == sync.EMPTY_STATE_VECTOR:
            return self.state()
        check_state_vector(state_vector)
        try:
            missing = self.doc.get_update(state_vector)
        except ValueError as error:
            raise MalformedError(f"not a state vector: {error}") from None
        return merge_updates(missing, *(a.data for a in self.waiting)) if self.waiting else missing

    def step_2_frame(self, framing: Framing, state_vector: bytes) -> bytes:
        """The framed answer to a step 1. The whole state is framed once for all members of a framing."""
        if state_vector != sync.EMPTY_STATE_VECTOR:
            return framing.wrap(sync.step_2(self.state_since(state_vector)))
        frame = self._state_frames.get(framing)
        if frame is None:
            frame = framing.wrap(sync.step_2(self.state()))
            if framing in self.members:
                self._state_frames[framing] = frame
        return frame

    # What members send

    def receive(
        self,
        member: Member | None,
        author: str,
        origin: int,
        data: bytes,
        created_at: int,
        shape: UpdateShape | None = None,
    ) -> bool:
        """Take an update into the inbox, to be applied at the end of the turn.

        Returns False if the document already holds everything in it, so that there is nothing to apply or store.
        Raises MalformedError before the engine has seen a byte.
        """
        shape = shape or inspect_update(data)
        if self.holds(shape, exactly=origin == SYNCED):
            return False
        self.inbox.append(Arrival(member, author, origin, created_at, data, shape))
        return True

    def holds(self, shape: UpdateShape, *, exactly: bool) -> bool:
        """Whether the update brings nothing new.

        An update that deletes is compared with the deletions of the document only if ``exactly``: that comparison
        costs an encoding of them, and a live edit that deletes is hardly ever a repetition.
        """
        clocks = self.clocks
        for client, clock, length in shape.structs:
            if clock + length > clocks.get(client, 0):
                return False
        if not shape.deletions:
            return True
        if not exactly or self.inbox:
            return False
        if self._deleted is None:
            self._deleted = deleted_in(self.doc)
        return all(self._deleted.holds(*deletion) for deletion in shape.deletions)

    def draft(self, edit: Callable[[AnyDoc], None]) -> bytes:
        """The update that an edit makes on a copy of the document.

        On a copy, because the engine cannot roll back: an edit that raises half-way must leave the document as it was.
        """
        self.flush()
        copy: AnyDoc = Doc(client_id=self.editor)
        copy.apply_update(self.state())
        updates: list[bytes] = []
        subscription = copy.observe(lambda event: updates.append(event.update))
        try:
            with copy.transaction():
                edit(copy)
        finally:
            copy.unobserve(subscription)
        return merge_updates(*updates) if len(updates) > 1 else updates[0] if updates else sync.EMPTY_UPDATE

    # The end of a turn

    def flush(self) -> None:
        """Apply what arrived in this turn in one transaction, send it on merged, and leave it for the log."""
        arrivals, self.inbox = self.inbox, []
        self.last_turn = len(arrivals)
        if len(arrivals) == 1 and not self.guard.may_cut(arrivals[0].shape):
            # By far the most frequent turn: one person types one key.
            accepted = arrivals if self._takes(arrivals[0]) else []
        elif any(self.guard.may_cut(arrival.shape) for arrival in arrivals):
            accepted = [arrival for arrival in arrivals if self._mends_and_takes(arrival)]
        else:
            accepted = []
            for at in range(0, len(arrivals), APPLY_AT_MOST):
                with self.doc.transaction():
                    accepted += [arrival for arrival in arrivals[at : at + APPLY_AT_MOST] if self._takes(arrival)]
        if accepted:
            self._note_change(accepted)
            self.outbox += accepted
            self.fan_out(accepted)

    def take_stored(self, updates: Iterable[bytes]) -> None:
        """Apply what another node has put in the log already, in the log's order, and send it on.

        The log holds it, so it is not refused: where the engine cannot take it, the document has to be loaded again.
        """
        self.flush()
        arrivals = [Arrival(None, "", SYSTEM, 0, data, inspect_update(data)) for data in updates]
        fresh = [arrival for arrival in arrivals if not self.holds(arrival.shape, exactly=False)]
        for at in range(0, len(fresh), APPLY_AT_MOST):
            part = fresh[at : at + APPLY_AT_MOST]
            with self.doc.transaction():
                for arrival in part:
                    self._apply_stored(arrival)
            self._note_change(part)
            self.fan_out(part)

    def _apply_stored(self, arrival: Arrival) -> None:
        with contextlib.suppress(MalformedUpdate):
            # Not asked for its judgement, but to remember what it has seen.
            self.guard.check(arrival.data, arrival.shape, self.clocks)
        try:
            self.doc.apply_update(arrival.data)
        except (ValueError, RuntimeError):
            self.is_broken = True

    def _mends_and_takes(self, arrival: Arrival) -> bool:
        """As ``_takes``, for an edit that may go between the two halves of a character outside the basic plane.

        JavaScript clients show both halves of such a character as damaged, and the engine would lose count of it. So
        the character is deleted first, for everybody, as an update of its own, and the edit goes on from there.
        """
        cut = self.guard.cut_characters(arrival.data, arrival.shape, self.clocks)
        if cut:
            data = deletion_of(cut)
            mending = Arrival(None, arrival.author, SYSTEM, arrival.created_at, data, inspect_update(data))
            if self._takes(mending):
                self._note_change([mending])
                self.outbox.append(mending)
                self.fan_out([mending])
                self.guard.forget(cut)
        return self._takes(arrival)

    def _takes(self, arrival: Arrival) -> bool:
        """Whether the engine took the update; if not, its author is told."""
        try:
            self.guard.check(arrival.data, arrival.shape, self.clocks)
            self.doc.apply_update(arrival.data)
        except ValueError as error:
            if arrival.member is not None:
                arrival.member.refuse(f"malformed update: {error}")
            return False
        except RuntimeError:
            # The engine stopped half-way: what it holds now is not what the log does, and must not be served on.
            self.is_broken = True
            return False
        return True

    def _note_change(self, accepted: list[Arrival]) -> None:
        """Keep clocks, size and cached encodings in step with the engine."""
        self.revision += 1
        self._state = self._state_vector = self._deleted = None
        if self._state_frames:
            self._state_frames.clear()
        clocks, waiting = self.clocks, self.waiting
        for arrival in accepted:
            self.size += len(arrival.data)
            if is_ready(arrival.shape, clocks):
                for client, clock, length in arrival.shape.structs:
                    if clock + length > clocks.get(client, 0):
                        clocks[client] = clock + length
            else:
                waiting.append(arrival)
        if waiting:
            self.clocks = check_state_vector(self.doc.get_state())
            self.waiting = [a for a in waiting if not is_integrated(a.shape, self.clocks)]

    def fan_out(self, accepted: list[Arrival]) -> None:
        """Send the updates of a turn to everybody else, merged, each framing framed once."""
        author = accepted[0].member
        if len(accepted) == 1:
            messages = [sync.update_message(accepted[0].data)]
        else:
            messages = [sync.update_message(update) for update in merged([arrival.data for arrival in accepted])]
            if any(arrival.member is not author for arrival in accepted):
                self._fan_out_mixed(accepted, messages)
                return
        for framing, group in self.members.items():
            for message in messages:
                frame = framing.wrap(message)
                for member, write in group.items():
                    if member is not author:
                        write(frame)

    def _fan_out_mixed(self, accepted: list[Arrival], messages: list[bytes]) -> None:
        """A turn of several authors: each gets its own updates back with the others', unless it would misread that."""
        apart = {a.member for a in accepted if a.member is not None and a.member.echo_means_stored}
        for framing, group in self.members.items():
            for message in messages:
                frame = framing.wrap(message)
                for member, write in group.items():
                    if member not in apart:
                        write(frame)
        for member in apart:
            if member in self.members.get(member.framing, ()):
                others = [arrival.data for arrival in accepted if arrival.member is not member]
                for update in merged(others):
                    member.write(member.framing.wrap(sync.update_message(update)))

    # Presence

    def receive_awareness(self, member: Member, update: bytes, now: float) -> None:
        """Take a member's presence; it is sent on by ``flush_awareness``. Raises MalformedError."""
        reply = self.awareness.receive(member, update, now)
        if reply is not None:
            member.write(member.framing.wrap(sync.awareness_message(reply)))

    def flush_awareness(self) -> None:
        """Send presence that changed to everybody, its author included: encoded once, framed once a framing."""
        changes = self.awareness.take_changes()
        if changes is None:
            return
        message = sync.awareness_message(changes)
        for framing, group in self.members.items():
            frame = framing.wrap(message)
            for write in self._writes_of_listening(group) if self.muted else group.values():
                write(frame)

    def _writes_of_listening(self, group: Mapping[Member, Write]) -> list[Write]:
        """Those of members who are not muted; the others are noted to have missed something."""
        self.muted.update(dict.fromkeys(self.muted.keys() & group.keys(), True))
        return [write for member, write in group.items() if member not in self.muted]

    @property
    def is_settled(self) -> bool:
        """Nobody is here and everything accepted is stored."""
        return not (self.members or self.held_back or self.inbox or self.outbox or self.storing)


def merged(updates: list[bytes]) -> list[bytes]:
    """The updates as few: at most MERGE_AT_MOST are merged into one."""
    if len(updates) == 1:
        return updates
    chunks = [updates[at : at + MERGE_AT_MOST] for at in range(0, len(updates), MERGE_AT_MOST)]
    return [chunk[0] if len(chunk) == 1 else merge_updates(*chunk) for chunk in chunks]


def is_ready(shape: UpdateShape, clocks: Mapping[int, int]) -> bool:
    """Whether the engine can integrate the update at once: everything that it builds on is there."""
    for client, clock, _ in shape.structs:
        if clock > clocks.get(client, 0):
            return False
    if not shape.needs and not shape.deletions:
        return True
    brought = {client: clock + length for client, clock, length in shape.structs}
    needs = [*shape.needs, *((client, clock + length) for client, clock, length in shape.deletions)]
    return all(end <= clocks.get(client, 0) or end <= brought.get(client, 0) for client, end in needs)


def is_integrated(shape: UpdateShape, clocks: Mapping[int, int]) -> bool:
    """Whether nothing of the update is held back by the engine, whose state vector this is."""
    ends = [(client, clock + length) for client, clock, length in (*shape.structs, *shape.deletions)]
    return all(end <= clocks.get(client, 0) for client, end in (*ends, *shape.needs))
