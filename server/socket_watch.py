"""A watch at the end of a socket, of whatever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from handlers.registry import NotAuthenticated, OperationError, Principal

if TYPE_CHECKING:
    from server.watch_frames import WatchFrames

WATCH_ENDED = 75

WatchId = int | Annotated[str, Meta(max_length=100)]


class SocketWatch(ABC):
    """`principal` is None until it is clear who it is for."""

    def __init__(self, frames: WatchFrames, watch_id: int | str) -> None:
        self.frames = frames
        self.id = watch_id
        self.principal: Principal | None = None
        self.is_over = False

    @property
    def is_congested(self) -> bool:
        return self.frames.socket.is_congested

    @abstractmethod
    async def start(self, principal: Principal) -> None:
        """Begin to watch. Raises OperationError."""

    @abstractmethod
    def resume(self) -> None:
        """The socket takes what it is sent again."""

    @abstractmethod
    def renewed(self, principal: Principal) -> None:
        """Its user has signed in anew."""

    @abstractmethod
    def close(self) -> None:
        """Its client wants no more. It may not have begun yet."""

    def ended(self, error: OperationError) -> None:
        """It is refused, or over."""
        self.frames.forget(self)
        if isinstance(error, NotAuthenticated):
            self.frames.doubt(self.principal)
        body = {"id": self.id, "code": error.code, "message": error.message, "details": error.details}
        self.frames.send(WATCH_ENDED, body)
