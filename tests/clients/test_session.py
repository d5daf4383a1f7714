"""One document's side of the protocol, stepped without a network."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pycrdt
import pytest
from collab_studio.awareness import decode, encode
from collab_studio.errors import ConnectionEnded, DocumentClosed, EditRefused, MalformedFrame, PermissionDenied
from collab_studio.frames import (
    Accepted,
    AwarenessUpdate,
    AwarenessWanted,
    Denied,
    Message,
    Step1,
    Step2,
    SyncStatus,
    Update,
    read_address,
    read_message,
)
from collab_studio.session import MERGE_AT_MOST, MERGE_AT_MOST_BYTES, DocumentSession, Phase
from collab_studio.text import Text

YDoc = pycrdt.Doc[Any]
EMPTY = b"\x00"


class Client:
    """A session and what it sends."""

    def __init__(self, ydoc: YDoc | None = None) -> None:
        self.ydoc: YDoc = ydoc or pycrdt.Doc()
        self.outputs = 0
        self.changes = 0
        self.session = DocumentSession("w/d", self.ydoc, self._count_output, self._count_change)
        self.text = Text(self.ydoc, "content")

    def _count_output(self) -> None:
        self.outputs += 1

    def _count_change(self) -> None:
        self.changes += 1

    def join(self) -> "Client":
        self.session.join("w/d", "t")
        self.take()
        return self

    def join_fully(self, state_vector: bytes = EMPTY, *, read_only: bool = False) -> "Client":
        """As if the server held what the state vector says, and nothing more."""
        self.join()
        self.receive(Accepted(read_only), Step1(state_vector), Step2(b"\x00\x00"))
        self.take()
        self.receive(SyncStatus(stored=True))
        return self

    def receive(self, *messages: Message) -> None:
        for message in messages:
            self.session.receive(message, 0.0)

    def take(self) -> list[Message]:
        messages = []
        for frame in self.session.take(0.0):
            address, reader = read_address(frame)
            assert address == "w/d"
            # A client's token message has the form of a server's wish for one, with more behind.
            messages.append(read_message(reader))
        return messages


def updates_of(edit: Callable[[Text], None]) -> bytes:
    ydoc: YDoc = pycrdt.Doc()
    edit(Text(ydoc, "content"))
    return ydoc.get_update()


def content_of(*updates: bytes) -> str:
    ydoc: YDoc = pycrdt.Doc()
    for update in updates:
        ydoc.apply_update(update)
    return str(Text(ydoc, "content"))


def test_joining_sends_the_token_and_what_is_known() -> None:
    client = Client()
    client.session.join("w/d", "t")
    frames = client.session.take(0.0)
    assert frames == [b"\x03w/d\x02\x00\x01t\x054.8.0", b"\x03w/d\x00\x00\x01\x00"]
    assert client.session.take(0.0) == []


def test_synced_with_the_servers_step_2() -> None:
    client = Client().join()
    client.receive(Accepted(read_only=False))
    before = client.session.synced
    client.receive(Step2(updates_of(lambda text: text.append("hello"))))
    assert (before, client.session.synced) == (False, True)
    assert str(client.text) == "hello"
    assert client.session.ledger.unsaved == 0


def test_edits_before_the_servers_step_1_wait_and_go_out_in_one_step_2() -> None:
    client = Client()
    client.text.append("a")
    client.join()
    client.text.append("b")
    client.receive(Accepted(read_only=False), Step2(b"\x00\x00"))
    assert client.take() == []
    client.receive(Step1(EMPTY))
    (message,) = client.take()
    assert isinstance(message, Step2)
    assert content_of(message.update) == "ab"
    assert client.session.ledger.unsaved == 2
    client.receive(SyncStatus(stored=True))
    assert client.session.ledger.unsaved == 0


def test_edits_of_one_turn_go_out_as_one_update() -> None:
    client = Client().join_fully()
    before = client.outputs
    client.text.append("a")
    client.text.append("b")
    assert client.outputs > before
    (message,) = client.take()
    assert isinstance(message, Update)
    assert content_of(message.update) == "ab"


def test_a_long_turn_goes_out_in_pieces_that_are_answered_one_by_one() -> None:
    client = Client().join_fully()
    for _ in range(MERGE_AT_MOST + 1):
        client.text.append("x")
    first, second = client.take()
    assert isinstance(first, Update)
    assert isinstance(second, Update)
    assert content_of(first.update, second.update) == "x" * (MERGE_AT_MOST + 1)
    client.receive(SyncStatus(stored=True))
    assert client.session.ledger.unsaved == 1
    assert not client.session.stored_up_to(MERGE_AT_MOST + 1)
    client.receive(SyncStatus(stored=True))
    assert client.session.stored_up_to(MERGE_AT_MOST + 1)


def test_big_edits_of_one_turn_go_out_in_frames_of_their_own() -> None:
    client = Client().join_fully()
    for _ in range(3):
        client.text.append("x" * MERGE_AT_MOST_BYTES)
    messages = client.take()
    assert [type(message) for message in messages] == [Update, Update, Update]
    client.receive(SyncStatus(stored=True), SyncStatus(stored=True))
    assert client.session.ledger.unsaved == 1


def test_what_comes_from_others_is_not_sent_back() -> None:
    client = Client().join_fully()
    client.receive(Update(updates_of(lambda text: text.append("theirs"))))
    assert str(client.text) == "theirs"
    assert client.take() == []
    assert client.session.ledger.made == 0


def test_a_read_changes_nothing() -> None:
    client = Client().join_fully()
    str(client.text)
    with client.ydoc.transaction():
        pass
    assert client.take() == []
    assert client.session.ledger.made == 0


def test_what_was_never_answered_is_sent_again_after_a_break() -> None:
    client = Client().join_fully()
    client.text.append("a")
    client.take()
    client.session.detach()
    assert not client.session.synced
    client.text.append("b")
    assert client.session.take(0.0) == []
    client.join()
    client.receive(Accepted(read_only=False), Step1(EMPTY))
    (message,) = client.take()
    assert isinstance(message, Step2)
    assert content_of(message.update) == "ab"
    client.receive(SyncStatus(stored=True))
    assert client.session.stored_up_to(2)


def test_an_answer_from_before_the_break_does_not_count_after_it() -> None:
    client = Client().join_fully()
    client.text.append("a")
    client.take()
    client.session.detach()
    client.join()
    client.receive(SyncStatus(stored=True))
    assert client.session.ledger.unsaved == 1


def test_a_replica_that_already_holds_something_is_unsaved_until_step_2_is_answered() -> None:
    ydoc: YDoc = pycrdt.Doc()
    Text(ydoc, "content").append("old")
    client = Client(ydoc)
    assert client.session.ledger.unsaved == 1
    client.join_fully()
    assert client.session.ledger.unsaved == 0


def test_an_edit_of_a_document_that_was_denied_is_not_taken_for_stored() -> None:
    client = Client().join_fully()
    client.receive(Denied("it was moved to the trash"))
    client.text.insert(0, "too late")
    assert client.session.ledger.unsaved == 1
    with pytest.raises(PermissionDenied, match="trash"):
        client.session.stored_up_to(client.session.ledger.made)
    assert client.take() == []
    client.session.leave()
    client.text.insert(0, "after it was left")
    assert client.session.ledger.unsaved == 1


def test_a_denied_document_is_over() -> None:
    client = Client().join()
    client.receive(Denied("no such workspace"))
    assert client.session.phase is Phase.ENDED
    assert isinstance(client.session.failure, PermissionDenied)
    assert "no such workspace" in str(client.session.failure)
    client.session.detach()
    assert client.session.phase is Phase.ENDED


def test_a_reader_sends_nothing_and_hears_that_it_may_not() -> None:
    client = Client().join_fully(read_only=True)
    assert client.session.read_only
    client.text.append("mine")
    assert client.take() == []
    with pytest.raises(PermissionDenied, match="read-only"):
        client.session.stored_up_to(1)


def test_a_reader_who_may_write_again_sends_what_was_kept() -> None:
    client = Client().join_fully(read_only=True)
    client.text.append("mine")
    client.receive(Accepted(read_only=False))
    (question,) = client.take()
    assert isinstance(question, Step1)
    client.receive(Step1(EMPTY))
    (answer,) = client.take()
    assert isinstance(answer, Step2)
    assert content_of(answer.update) == "mine"


def test_a_refused_edit_is_said() -> None:
    client = Client().join_fully()
    client.text.append("x")
    client.take()
    client.receive(SyncStatus(stored=False))
    with pytest.raises(EditRefused):
        client.session.stored_up_to(1)


def test_presence_goes_out_after_the_edits_and_again_after_a_break() -> None:
    client = Client().join_fully()
    client.session.awareness.set_local({"cursor": 1})
    client.text.append("x")
    update, presence = client.take()
    assert isinstance(update, Update)
    assert isinstance(presence, AwarenessUpdate)
    client.session.detach()
    client.session.join("w/d", "t")
    *_, again = client.take()
    assert isinstance(again, AwarenessUpdate)
    assert decode(again.update)[0][2] == '{"cursor":1}'
    client.receive(AwarenessWanted())
    assert len(client.take()) == 1


def test_presence_of_others_is_known() -> None:
    client = Client().join_fully()
    client.receive(AwarenessUpdate(encode([(5, 1, '{"a":1}')])))
    assert client.session.awareness.others == {5: {"a": 1}}
    client.session.detach()
    assert client.session.awareness.others == {}


def test_leaving_sends_what_there_is_and_says_goodbye() -> None:
    client = Client().join_fully()
    client.session.awareness.set_local({})
    client.take()
    client.text.append("last")
    client.session.leave()
    frames = client.session.take(0.0)
    kinds = [type(read_message(read_address(frame)[1])) for frame in frames[:-1]]
    assert kinds == [Update, AwarenessUpdate]
    assert frames[-1] == b"\x03w/d\x07"
    assert isinstance(client.session.failure, DocumentClosed)


def test_after_the_end_edits_are_counted_and_not_sent_and_no_longer_observed_once_it_was_left() -> None:
    client = Client().join_fully()
    client.session.fail(ConnectionEnded("over"))
    client.text.append("x")
    assert client.session.take(0.0) == []
    assert client.session.ledger.unsaved == 1
    client.session.leave()
    client.text.append("y")
    assert client.session.ledger.made == 1
    assert isinstance(client.session.failure, ConnectionEnded)


def test_a_session_that_left_is_freed() -> None:
    client = Client().join_fully()
    client.session.leave()
    session, ydoc = weakref.ref(client.session), client.ydoc
    del client
    gc.collect()
    assert session() is None
    assert ydoc.get_state()


@pytest.mark.parametrize("message", [Update(b"\xff"), Step2(b""), Step1(b"\xff")])
def test_what_the_engine_cannot_read_is_malformed(message: Message) -> None:
    client = Client().join()
    with pytest.raises(MalformedFrame):
        client.receive(message)


def test_a_failing_observer_of_the_application_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    client = Client().join_fully()

    def fail(_: object) -> None:
        raise RuntimeError("mine")

    client.text.shared.observe(fail)
    client.receive(Update(updates_of(lambda text: text.append("theirs"))))
    assert str(client.text) == "theirs"
    assert "an observer of w/d failed" in caplog.text
    client.receive(Update(b"\x00\x00"))


def test_an_update_from_others_within_a_transaction_of_ours_loses_nothing() -> None:
    client = Client().join_fully()
    with client.ydoc.transaction():
        client.text.append("mine")
        client.receive(Update(updates_of(lambda text: text.append("theirs"))))
    (message,) = client.take()
    assert isinstance(message, Update)
    assert client.session.ledger.unsaved == 1
    assert "mine" in content_of(message.update)
