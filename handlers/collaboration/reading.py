"""What is in a document, now or at a number: worked out here where that is quick, in a worker process where not."""

from __future__ import annotations

from crdt.room import Room
from handlers.collaboration.replays import Form, Question, Reading, Shape, read, read_replayed, shape_of, shape_of_state
from handlers.document_states import SMALL_BYTES, in_worker, readable
from handlers.parts import Parts
from storage import documents
from storage.documents import Document

# Telling what a document is reads its structs one by one.
SMALL_UNTOLD_BYTES = 8 * 1024


async def read_live(parts: Parts, document: Document, question: Question) -> tuple[Reading, int]:
    """The content as it is now, and the number that it stands at. Raises InvalidRequest as `replayed` does."""
    async with parts.rooms.use(document) as room:
        state, number = await parts.rooms.state(document)
        with readable():
            if is_quick(question.kind, question.root, room):
                return read(room.doc, question), number
            return await in_worker(parts, read_replayed, None, [state], question), number


def is_quick(kind: str | None, root: str | None, room: Room) -> bool:
    """Whether a live document is read quickly enough for the event loop. Text always is."""
    if kind is None or root is None:
        return len(room.state()) <= SMALL_UNTOLD_BYTES
    return kind == "text" or len(room.state()) <= SMALL_BYTES


async def live_shape(parts: Parts, document: Document) -> Shape | None:
    """What the document is; None as long as it is empty and nobody said."""
    if document.kind is not None and document.root is not None:
        return Shape(document.kind, document.root)
    async with parts.rooms.use(document) as room:
        return await shape_in(parts, document, room)


async def shape_in(parts: Parts, document: Document, room: Room) -> Shape | None:
    """As `live_shape`, in the document's room; what was found out is noted for the next time."""
    if document.kind is not None and document.root is not None:
        return Shape(document.kind, document.root)
    state = room.state()
    if len(state) <= SMALL_UNTOLD_BYTES:
        shape = shape_of(room.doc, document.kind, document.root)
    else:
        shape = await in_worker(parts, shape_of_state, state, document.kind, document.root)
    await note_shape(parts, document, shape)
    return shape


def question_about(document: Document, shape: Shape | None, form: Form | None) -> Question:
    """Asks for the content of the shape that the document has now, or for what can be told if it has none yet."""
    if shape is not None and shape.is_certain:
        return Question(shape.kind, shape.root, form)
    return Question(document.kind, document.root, form)


async def note_shape(parts: Parts, document: Document, shape: Shape | None) -> None:
    """Keep what was found out about a document, if nobody said it before."""
    if shape is not None and shape.is_certain and (document.kind is None or document.root is None):
        async with parts.database.write() as connection:
            await documents.set_shape(connection, document.id, shape.kind, shape.root)
