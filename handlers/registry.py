"""What an operation is: the one table of operations feeds HTTP, sockets, batch, OpenAPI and tests.

OperationError                 answers one request; it never ends a connection
 +- InvalidRequest       400   the parameters do not fit the operation
 +- NotAuthenticated     401   nobody, or a credential that does not hold
 +- Forbidden            403   somebody who may see this, but not do it
 +- NotFound             404   not there, or not to be known by this user
 +- Conflict             409   the state does not allow it now
 +- TooLarge             413   more bytes than the limits allow
 +- RateLimited          429   later
 +- Unavailable          503   not now, try again

Handlers raise these; only the transports turn them into responses or frames.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Protocol, TypeVar, Union, get_args, get_origin

import msgspec

if TYPE_CHECKING:
    from handlers.parts import Parts
    from handlers.scopes import Scope

T = TypeVar("T")

# A time in requests and results: aware, and told as such in schemas.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ROUTE = re.compile(r"^(?P<method>[A-Z]+) (?P<path>(/([a-z0-9.-]+|\{[a-z_]+\}))+)$")
_PATH_PARAMETER = re.compile(r"\{([a-z_]+)\}")


class Permission(enum.Enum):
    """What an operation asks of its caller. READ to OWN are asked of the workspace `request.workspace_id`."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    READ = "read"
    COMMENT = "comment"
    WRITE = "write"
    MANAGE = "manage"
    OWN = "own"
    SERVER_ADMIN = "server_admin"


WORKSPACE_PERMISSIONS = frozenset(
    {Permission.READ, Permission.COMMENT, Permission.WRITE, Permission.MANAGE, Permission.OWN}
)


class OperationError(Exception):
    """Why a request was not done.

    `code` is a stable snake_case word for programs, `message` one sentence for people, `details` a
    JSON-able dict or None, `status` the HTTP status.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str | None = None, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details
        # What the audit trail says of it where callers are told less, and whose a refused credential claims to be.
        self.noted = self.code
        self.account: str | None = None


class InvalidRequest(OperationError):
    status = 400
    default_code = "invalid_request"


class NotAuthenticated(OperationError):
    status = 401
    default_code = "not_authenticated"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        noted: str | None = None,
        account: str | None = None,
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.noted = noted or self.code
        self.account = account


class Forbidden(OperationError):
    status = 403
    default_code = "forbidden"


class NotFound(OperationError):
    status = 404
    default_code = "not_found"


class Conflict(OperationError):
    status = 409
    default_code = "conflict"


class PreconditionFailed(OperationError):
    status = 412
    default_code = "version_changed"


class TooLarge(OperationError):
    status = 413
    default_code = "too_large"


class RateLimited(OperationError):
    status = 429
    default_code = "rate_limited"


class Unavailable(OperationError):
    status = 503
    default_code = "unavailable"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `via` is "token", "api_key", "ticket" or "cli"; `expires_at` is when the credential ends.

    `scope` is what an API key may at most; then `is_admin` is false, whoever its user is. `sid` is the session that the
    credential is of, `key_hash` the fingerprint of the API key that it is or comes from: when either ends, so does what
    was begun with it.
    """

    user_id: str
    is_admin: bool
    via: str
    expires_at: datetime | None = None
    scope: Scope | None = None
    sid: str | None = None
    key_hash: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Context:
    """All a handler is given besides its request. `now` answers with an aware UTC time.

    `is_watched`: the answer is for whoever watches it. It is asked for again, so that nothing is worth waiting for.
    """

    principal: Principal | None
    parts: Parts
    request_id: str
    now: Callable[[], datetime]
    is_watched: bool = False

    @property
    def user(self) -> Principal:
        """The principal, where the operation's permission guarantees one."""
        if self.principal is None:
            raise NotAuthenticated("Sign in first.")
        return self.principal


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list. `next_cursor` asks for the next page; null on the last."""

    items: list[T]
    next_cursor: str | None = None


class Binary(msgspec.Struct, frozen=True, kw_only=True):
    """A result that is bytes of another form: over HTTP the body itself, elsewhere this struct."""

    media_type: str
    data: bytes


class Following(Protocol):
    """An answer that is watched, and what is kept of it so that the next one costs less."""

    async def answer(self, context: Context) -> Any:
        """The answer as it is now; the same as the operation's handler gives. Raises OperationError."""


@dataclass(frozen=True, slots=True)
class Watched:
    """That an operation's answer can be watched, and what makes it stale.

    `topics` are those of `handlers.changes` that it is made of, in the request's workspace; `subject` narrows them to
    a part, as `dataset:12`, where changes say which. Members called as in `passing`, at any depth, tell when it was
    made: alone they are no change. It is made anew each `refresh_seconds` whatever is told, for what the clock changes.

    One answer serves all who may ask, and is made for nobody in particular (`Context.principal` is None), unless it
    `is_personal`: an operation whose handler looks at who asks has to say so. Or `standing` says what whoever watches
    needs, where the operation's permission in the request's workspace is not it, and raises what a request would.

    `follow` gives what makes the answers in the handler's place. `continued` says how an answer goes on from the one
    before, both as JSON has them, where that is shorter than a patch; None where it does not. An answer rests for
    `pause_seconds` after it was begun.
    """

    topics: frozenset[str]
    passing: frozenset[str] = frozenset({"as_of"})
    refresh_seconds: float = 60.0
    is_personal: bool = False
    subject: Callable[[Any], str] | None = None
    standing: Callable[[Context, Any], Awaitable[tuple[Permission, str | None]]] | None = None
    follow: Callable[[Any], Following] | None = None
    continued: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any] | None] | None = None
    pause_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a client can ask for.

    `request` holds path, query and body parameters together. A field named `body` is the whole body: of
    type `bytes` it takes a body that is neither JSON nor MessagePack, of any other type the decoded body.
    `result` is the type of what `handler` returns: a struct, `Page[...]`, `Binary`, a union of these, or None.
    `media_types` are those that a `Binary` may have. `watched` says that the answer can be watched.
    `stops_with_caller`: its work is cancelled when the connection of whoever asked is gone.
    `errors` are the errors it may raise besides those that `errors_of` derives. `audited` says that it
    changes state and so leaves an audit row (default: the method is not GET), `changes` that it changes something of
    which no row tells.
    """

    name: str
    request: type[msgspec.Struct]
    result: Any
    handler: Callable[[Context, Any], Awaitable[Any]]
    route: str
    permission: Permission
    summary: str
    status: int = 200
    audited: bool | None = None
    changes: bool = False
    errors: tuple[type[OperationError], ...] = ()
    media_types: tuple[str, ...] = ("application/octet-stream",)
    watched: Watched | None = None
    stops_with_caller: bool = False

    def __post_init__(self) -> None:
        match = _ROUTE.match(self.route)
        if match is None or match["method"] not in METHODS:
            raise ValueError(f"{self.name}: {self.route!r} is not a route")
        fields = set(self.request.__struct_fields__)
        missing = set(self.path_parameters) - fields
        if self.permission in WORKSPACE_PERMISSIONS and "workspace_id" not in fields:
            missing.add("workspace_id")
        if missing:
            raise ValueError(f"{self.name}: {self.request.__name__} has no field {sorted(missing)}")
        if self.audited is None:
            object.__setattr__(self, "audited", self.method != "GET")
        if self.watched is not None and self.audited:
            raise ValueError(f"{self.name}: what changes something cannot be watched")

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]

    @property
    def results(self) -> tuple[Any, ...]:
        """The types a result may have: the members of a union, with `type(None)` for nothing, or the one there is."""
        if get_origin(self.result) in (Union, UnionType):
            return get_args(self.result)
        return (type(None) if self.result is None else self.result,)

    @property
    def path_parameters(self) -> tuple[str, ...]:
        return tuple(_PATH_PARAMETER.findall(self.path))


def errors_of(operation: Operation) -> tuple[type[OperationError], ...]:
    """Every error an operation may answer with, by status; what its shape implies need not be declared."""
    errors: set[type[OperationError]] = {InvalidRequest, RateLimited, Unavailable, *operation.errors}
    if operation.permission is not Permission.PUBLIC:
        # Also where being signed in is enough: an API key may be for something else.
        errors |= {NotAuthenticated, Forbidden}
    if operation.path_parameters or operation.permission in WORKSPACE_PERMISSIONS:
        errors.add(NotFound)
    if operation.method not in ("GET", "DELETE"):
        errors.add(TooLarge)
    return tuple(sorted(errors, key=lambda error: (error.status, error.__name__)))
