"""Client of the Collaboration Studio: shared documents and operations over one connection.

`connect` for asyncio; `collab_studio.sync.connect` for programs without an event loop.
"""

from collab_studio.answer_watch import AnswerWatch
from collab_studio.awareness import Awareness, AwarenessChange
from collab_studio.document import Document, Kind
from collab_studio.errors import (
    ConnectionEnded,
    ConnectionLost,
    DocumentClosed,
    EditRefused,
    LockedOut,
    MalformedFrame,
    NotAllowed,
    NotAuthenticated,
    NotStored,
    OperationError,
    OutOfScope,
    PermissionDenied,
    ResyncRequired,
    SessionEnded,
    StudioError,
)
from collab_studio.feed_frames import BEGINNING, Event, Position
from collab_studio.feed_watch import FeedWatch
from collab_studio.studio import Studio, connect
from collab_studio.text import Text

__all__ = [
    "BEGINNING",
    "AnswerWatch",
    "Awareness",
    "AwarenessChange",
    "ConnectionEnded",
    "ConnectionLost",
    "Document",
    "DocumentClosed",
    "EditRefused",
    "Event",
    "FeedWatch",
    "Kind",
    "LockedOut",
    "MalformedFrame",
    "NotAllowed",
    "NotAuthenticated",
    "NotStored",
    "OperationError",
    "OutOfScope",
    "PermissionDenied",
    "Position",
    "ResyncRequired",
    "SessionEnded",
    "Studio",
    "StudioError",
    "Text",
    "connect",
]
