"""One document over one socket after another: messages in, frames out, no network.

A session joins each new socket with the token and the state vector of what it holds. From the server's step 1 it learns
what the server lacks and sends that as step 2: edits made while there was no connection, or that were never answered,
go out with it. Until then updates are held back, so that the server never sees one without those before it.
"""

import enum
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pycrdt

from collab_studio.awareness import Awareness
from collab_studio.errors import DocumentClosed, EditRefused, MalformedFrame, PermissionDenied, StudioError
from collab_studio.frames import (
    Accepted,
    AddressedFrames,
    AwarenessUpdate,
    AwarenessWanted,
    Closed,
    Denied,
    Ignored,
    Message,
    Step1,
    Step2,
    SyncStatus,
    TokenWanted,
    Update,
)
from collab_studio.ledger import Ledger

_log = logging.getLogger("collab_studio")

EMPTY_STATE_VECTOR = b"\x00"
# Merging costs more than linearly: 256 updates take 1 ms, 1,000 take 6 ms.
MERGE_AT_MOST = 256
# Well below any server's limit on frames, so that only a single edit can be too big for one.
MERGE_AT_MOST_BYTES = 256 * 1024


class Phase(enum.Enum):
    """Where a session stands with the present socket."""

    DETACHED = "detached"  # no socket, or the server closed the document on it
    JOINING = "joining"  # token and step 1 are sent
    SENDING = "sending"  # the server said what it lacks: edits are sent as they are made
    ENDED = "ended"  # for good, see `failure`


class DocumentSession:
    """Keeps `ydoc` the same as the server's document.

    `on_output` is called when `take` has something new, `on_change` when what is observable (`synced`, `read_only`,
    `ledger`, `failure`) may have changed.
    """

    def __init__(
        self,
        name: str,
        ydoc: pycrdt.Doc[Any],
        on_output: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self.ydoc = ydoc
        self.phase = Phase.DETACHED
        self.synced = False
        self.read_only = False
        self.failure: StudioError | None = None
        self.ledger = Ledger(made=0 if ydoc.get_state() == EMPTY_STATE_VECTOR else 1)
        self.awareness = Awareness(ydoc.client_id, on_output)
        self._on_output = on_output
        self._on_change = on_change
        self._frames = AddressedFrames(name)
        self._token = ""
        self._replies: list[bytes] = []
        self._updates: list[bytes] = []
        self._is_applying = False
        self._subscription: pycrdt.Subscription | None = ydoc.observe(self._edited)

    def join(self, address: str, token: str) -> None:
        """A socket is there: authenticate and ask for what this replica lacks."""
        self._frames = AddressedFrames(address)
        self._token = token
        self.phase = Phase.JOINING
        self._reply(self._frames.authenticate(token), self._step_1())
        self.awareness.joined()

    def renew_token(self, token: str) -> None:
        """Use this token from now on, and tell the server."""
        self._token = token
        self._reply(self._frames.authenticate(token))

    def detach(self) -> None:
        """The socket is gone, or the server closed the document on it; edits are kept for the next join."""
        if self.phase is not Phase.ENDED:
            self.phase = Phase.DETACHED
        self.synced = False
        self._replies.clear()
        self._updates.clear()
        self.ledger.reset()
        self.awareness.left()
        self._on_change()

    def leave(self) -> None:
        """End this session: send what there is, say that this client goes, and observe the document no more."""
        if self.phase is Phase.ENDED:
            self._stop_observing()
            return
        is_joined = self.phase is not Phase.DETACHED
        self.awareness.set_local(None)
        if is_joined:
            self._reply(*self._take_updates(), *self._take_awareness(0.0), self._frames.close())
        self.fail(DocumentClosed(f"{self.name} is closed"))
        self._stop_observing()

    def fail(self, failure: StudioError) -> None:
        """Nothing more will come of this session. The first failure is the one that counts.

        Edits are counted on, until `leave`: whoever has not heard of the failure yet must not take them for stored.
        """
        if self.phase is Phase.ENDED:
            return
        self.phase = Phase.ENDED
        self.synced = False
        self.failure = failure
        self._on_change()

    def _stop_observing(self) -> None:
        if self._subscription is not None:
            self.ydoc.unobserve(self._subscription)
            self._subscription = None

    def take(self, now: float) -> list[bytes]:
        """The frames to send, in order. `now` is in seconds of a monotonic clock."""
        frames, self._replies = self._replies, []
        if self.phase in (Phase.JOINING, Phase.SENDING):
            frames += self._take_updates()
            frames += self._take_awareness(now)
        return frames

    def receive(self, message: Message, now: float) -> None:
        """Take a message that came on the present socket.

        TokenWanted and Closed are for whoever owns the socket, which answers with `renew_token` and `detach`.
        Raises MalformedFrame if the engine cannot read what the server sent.
        """
        match message:
            case Accepted(read_only):
                self._accepted(read_only)
            case Denied(reason):
                self.fail(PermissionDenied(f"{self.name}: {reason}"))
            case Step1(state_vector):
                self._answer_step_1(state_vector)
            case Step2(update):
                self._apply(update)
                self.synced = True
                self._on_change()
            case Update(update):
                self._apply(update)
            case SyncStatus(stored):
                self.ledger.answered(stored=stored)
                self._on_change()
            case AwarenessUpdate(update):
                self.awareness.receive(update, now)
            case AwarenessWanted():
                self.awareness.joined()
            case TokenWanted() | Closed() | Ignored():
                pass

    def stored_up_to(self, edit: int) -> bool:
        """Whether all edits up to this number are stored. Raises what keeps that from ever becoming true."""
        if self.ledger.stored >= edit:
            return True
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        if self.read_only:
            raise PermissionDenied(f"{self.name} is read-only for this user; the edits stay in this replica")
        if self.ledger.refused:
            raise EditRefused(f"the server refused an edit of {self.name}")
        return False

    def _accepted(self, read_only: bool) -> None:
        may_write_again = self.read_only and not read_only
        self.read_only = read_only
        if may_write_again and self.phase is Phase.SENDING:
            # Makes the server say what it lacks: the edits that were held back.
            self._reply(self._step_1())
        self._on_change()

    def _answer_step_1(self, state_vector: bytes) -> None:
        try:
            update = self.ydoc.get_update(state_vector)
        except ValueError as error:
            raise MalformedFrame(f"{self.name}: the server sent an unreadable state vector") from error
        self.phase = Phase.SENDING
        self._updates.clear()
        self.ledger.sent_state()
        self._reply(self._frames.step_2(update))

    def _apply(self, update: bytes) -> None:
        self._is_applying = True
        try:
            self.ydoc.apply_update(update)
        except ValueError as error:
            raise MalformedFrame(f"{self.name}: the server sent an unreadable update") from error
        except ExceptionGroup:
            # The update is applied; observers of the application failed, which must not end the connection.
            _log.exception("an observer of %s failed", self.name)
        finally:
            self._is_applying = False

    def _edited(self, event: pycrdt.TransactionEvent) -> None:
        """A transaction on the document was committed, by the application or by `_apply`."""
        if self._is_applying:
            return
        self.ledger.edit()
        if self.phase is Phase.SENDING and not self.read_only:
            self._updates.append(event.update)
            self._on_output()

    def _take_updates(self) -> list[bytes]:
        frames = []
        updates, self._updates = self._updates, []
        left = len(updates)
        for batch in _batches(updates):
            left -= len(batch)
            frames.append(self._frames.update(batch[0] if len(batch) == 1 else pycrdt.merge_updates(*batch)))
            self.ledger.sent_update(later=left)
        return frames

    def _take_awareness(self, now: float) -> list[bytes]:
        update = self.awareness.take(now)
        return [] if update is None else [self._frames.awareness(update)]

    def _step_1(self) -> bytes:
        return self._frames.step_1(self.ydoc.get_state())

    def _reply(self, *frames: bytes) -> None:
        self._replies += frames
        self._on_output()


def _batches(updates: list[bytes]) -> Iterator[list[bytes]]:
    """The updates in order, in lists that are neither too long nor too big to be merged into one frame."""
    batch: list[bytes] = []
    size = 0
    for update in updates:
        if batch and (len(batch) == MERGE_AT_MOST or size + len(update) > MERGE_AT_MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(update)
        size += len(update)
    if batch:
        yield batch
