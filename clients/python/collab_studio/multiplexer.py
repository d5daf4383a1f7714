"""Many documents, watches and the operations over one socket after another: frames in, frames out, no network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pycrdt

from collab_studio.answer_frames import Answer, AnswerChanged, AnswerContinued
from collab_studio.errors import DocumentClosed, StudioError
from collab_studio.feed_frames import Events, Resync, WatchEnded, Watching
from collab_studio.frames import PING, PONG, Closed, Step2, SyncStatus, TokenWanted, read_address, read_message
from collab_studio.lib0 import Reader
from collab_studio.requests import Requests
from collab_studio.session import DocumentSession
from collab_studio.studio_frames import ADDRESS, GoingAway, Refusal, Result, Welcome, hello, read_studio_message
from collab_studio.watches import Watches

# A document that the server closes again and again, with nothing stored between, is given up.
MAX_CLOSES = 5
# Seconds before the first attempt to join anew; doubled each time.
REJOIN_AFTER = 0.5


@dataclass(slots=True, eq=False)
class _Attachment:
    """A session's place on the present socket. `address` is None while it is not joined."""

    session: DocumentSession
    address: str | None = None
    rejoin_at: float | None = None
    closes: int = 0


class Multiplexer:
    """Routes between one socket, the document sessions, the watches and the requests.

    `welcome` and `going_away` hold the last of these messages, `is_welcome` whether it came on the present socket;
    `has_worked` whether a document or an operation was served on it. `wants_token` says that `renew_token` is to be
    called, with a token as new as can be had.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called when there is something for `take`."""
        self._wake = wake
        self.requests = Requests(wake)
        self.watches = Watches(wake)
        self.welcome: Welcome | None = None
        self.is_welcome = False
        self.has_worked = False
        self.going_away: GoingAway | None = None
        self._token: str | None = None
        self._control: list[bytes] = []
        self._attachments: dict[DocumentSession, _Attachment] = {}
        self._by_address: dict[str, _Attachment] = {}
        self._dirty: dict[_Attachment, None] = {}
        self._wanting_token: list[_Attachment] = []
        self._uses: dict[str, int] = {}

    def open(self, name: str, ydoc: pycrdt.Doc[Any], on_change: Callable[[], None]) -> DocumentSession:
        """A session of this document, joined at once if there is a socket, else with the next one."""
        session = DocumentSession(name, ydoc, lambda: self._mark(attachment), on_change)
        attachment = self._attachments[session] = _Attachment(session)
        if self._token is not None:
            self._join(attachment)
        return session

    def close(self, session: DocumentSession) -> None:
        """Send what the session still has, leave the document and forget the session."""
        attachment = self._attachments.pop(session, None)
        session.leave()
        if attachment is None:
            return
        if attachment.address is not None:
            self._control += session.take(0.0)
            self._unroute(attachment)
            self._wake()

    def opened(self, token: str) -> None:
        """A socket is there: every document joins."""
        self._token = token
        self.going_away = None
        self.is_welcome = self.has_worked = False
        if token:
            self._control.append(hello(token))
        self.watches.opened()
        for attachment in self._attachments.values():
            self._join(attachment)
        self._wake()

    def lost(self) -> None:
        """The socket is gone."""
        self._token = None
        self._control.clear()
        self._dirty.clear()
        self._by_address.clear()
        self._uses.clear()
        self._wanting_token.clear()
        self.requests.lost()
        self.watches.lost()
        for attachment in list(self._attachments.values()):
            attachment.address = attachment.rejoin_at = None
            attachment.session.detach()

    def fail(self, error: StudioError) -> None:
        """There will be no socket again."""
        self.requests.fail(error)
        self.watches.fail(error)
        for session in list(self._attachments):
            session.fail(error)

    @property
    def wants_token(self) -> bool:
        return bool(self._wanting_token) or self.watches.wants_token

    def renew_token(self, token: str) -> None:
        """The token for documents that the server asked it for, and for those that are to be joined anew."""
        if self._token is None:
            return
        self._token = token
        if self.watches.wants_token:
            self._control.append(hello(token))
            self.watches.token_renewed()
        wanting, self._wanting_token = self._wanting_token, []
        for attachment in wanting:
            if attachment.address is None:
                self._join(attachment)
            else:
                attachment.session.renew_token(token)

    def take(self, now: float) -> list[bytes]:
        """The frames to send, in order; empty without a socket."""
        if self._token is None:
            return []
        frames, self._control = self._control, []
        frames += self.requests.take()
        frames += self.watches.take()
        dirty, self._dirty = self._dirty, {}
        for attachment in dirty:
            frames += attachment.session.take(now)
        return frames

    def tick(self, now: float) -> None:
        """What is due by time. To be called every second or so while there is a socket; then see `wants_token`."""
        self.watches.tick(now)
        for attachment in list(self._attachments.values()):
            attachment.session.awareness.tick(now)
            if attachment.rejoin_at is not None and now >= attachment.rejoin_at:
                attachment.rejoin_at = None
                self._wanting_token.append(attachment)

    def receive(self, frame: bytes, now: float) -> None:
        """Take a frame of the present socket. Raises MalformedFrame."""
        if frame == PING:
            self._control.append(PONG)
            self._wake()
            return
        address, reader = read_address(frame)
        if address == ADDRESS:
            self._receive_own(reader, now)
        elif (attachment := self._by_address.get(address)) is not None:
            self._receive_document(attachment, reader, now)

    def _receive_own(self, reader: Reader, now: float) -> None:
        message = read_studio_message(reader)
        match message:
            case Result() | Refusal():
                self.has_worked = True
                self.requests.answer(message)
            case Watching() | Events() | Resync() | WatchEnded() | Answer() | AnswerChanged() | AnswerContinued():
                self.has_worked = True
                self.watches.receive(message, now)
            case Welcome():
                self.welcome = message
                self.is_welcome = True
            case GoingAway():
                self.going_away = message

    def _receive_document(self, attachment: _Attachment, reader: Reader, now: float) -> None:
        message = read_message(reader)
        session = attachment.session
        session.receive(message, now)
        match message:
            case Closed(reason):
                self._closed_by_server(attachment, reason, now)
            case TokenWanted():
                self._wanting_token.append(attachment)
            case Step2():
                self.has_worked = True
            case SyncStatus(stored=True):
                attachment.closes = 0

    def _closed_by_server(self, attachment: _Attachment, reason: str, now: float) -> None:
        """Join anew after a while: if the document may no longer be opened, the server will say so."""
        self._unroute(attachment)
        attachment.closes += 1
        if attachment.closes > MAX_CLOSES:
            attachment.session.fail(DocumentClosed(f"{attachment.session.name}: the server closed it: {reason}"))
            return
        attachment.session.detach()
        attachment.rejoin_at = now + REJOIN_AFTER * 2 ** (attachment.closes - 1)

    def _join(self, attachment: _Attachment) -> None:
        session = attachment.session
        if session.failure is not None or self._token is None:
            return
        attachment.address = self._fresh_address(session.name)
        self._by_address[attachment.address] = attachment
        session.join(attachment.address, self._token)

    def _fresh_address(self, name: str) -> str:
        """An address not yet used on this socket, so that late answers to an earlier session reach nobody."""
        uses = self._uses[name] = self._uses.get(name, 0) + 1
        return name if uses == 1 else f"{name}\0{uses}"

    def _unroute(self, attachment: _Attachment) -> None:
        if attachment.address is not None:
            del self._by_address[attachment.address]
            attachment.address = None
        self._dirty.pop(attachment, None)

    def _mark(self, attachment: _Attachment) -> None:
        if attachment.address is not None:
            self._dirty[attachment] = None
            self._wake()
