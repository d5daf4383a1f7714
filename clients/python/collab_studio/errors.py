"""What can go wrong, as exceptions.

StudioError
 +- OperationError       one request was refused; the connection goes on
 +- PermissionDenied     this document may not be opened, or not be written
 +- DocumentClosed       this document was closed, by either side
 +- EditRefused          the server did not take an edit of this document
 +- NotStored            closed while edits were not stored yet
 +- ResyncRequired       a feed cannot give what follows the position that was asked for
 +- ConnectionLost       the server cannot be reached, or went away before it answered
 +- ConnectionEnded      the connection stopped for good and will not be made again
 |   +- NotAuthenticated the token does not hold
 |   +- NotAllowed       this user may not connect
 +- MalformedFrame       the other side broke the protocol
"""

from typing import Any

from collab_studio.feed_frames import Position


class StudioError(Exception):
    """The root of all errors of this package."""


class OperationError(StudioError):
    """An operation was refused or failed.

    `code` is a stable word for programs, `message` a sentence for people, `details` what else the server told,
    `request_id` finds the request in the server's log.
    """

    def __init__(self, code: str, message: str, details: Any = None, request_id: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id


class SessionEnded(OperationError):
    """The session of the token was ended, or the API key revoked: only another credential lets in again."""


class OutOfScope(OperationError):
    """The API key is not for this, whatever its user may."""


class LockedOut(OperationError):
    """Too many wrong credentials came from this address; `details["retry_after"]` says for how many seconds to wait."""


_KINDS = {"session_ended": SessionEnded, "out_of_scope": OutOfScope, "locked_out": LockedOut}


def operation_error(code: str, message: str, details: Any = None, request_id: str | None = None) -> OperationError:
    """The error for a code of the server."""
    return _KINDS.get(code, OperationError)(code, message, details, request_id)


class PermissionDenied(StudioError):
    """The server refused the document, or refuses this user's edits of it."""


class DocumentClosed(StudioError):
    """The document was closed, by `close()` or by the server."""


class EditRefused(StudioError):
    """The server answered an edit with "refused": this replica now holds what the server does not."""


class NotStored(StudioError):
    """A document was closed before all of its edits were answered "stored". They may or may not be."""


class ResyncRequired(StudioError):
    """A feed cannot give what follows: it holds less by now, or was made anew.

    Read what the feed is about anew, and watch it from `position`.
    """

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position


class ConnectionLost(StudioError):
    """The server could not be reached, or the connection broke before the answer came."""


class ConnectionEnded(StudioError):
    """The connection stopped for good: closed by `close()`, or refused in a way that trying again cannot mend."""


class NotAuthenticated(ConnectionEnded):
    """The server does not accept the token."""


class NotAllowed(ConnectionEnded):
    """The server knows the user and refuses the connection."""


class MalformedFrame(StudioError):
    """A frame does not follow the protocol."""
