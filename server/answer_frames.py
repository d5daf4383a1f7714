"""Watched operations on a connection at `/ws`: the first answer, then what changed of it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from handlers.answer_channel import AnswerWatch, Form, Kind, packed
from handlers.live_answers import LiveAnswers
from handlers.registry import Principal
from server.socket_watch import SocketWatch, WatchId

if TYPE_CHECKING:
    from server.watch_frames import WatchFrames

WATCH_OPERATION, ANSWER, ANSWER_CHANGED, ANSWER_CONTINUED = 76, 77, 78, 79
_FRAMES = {
    Kind.WHOLE: (ANSWER, "value"),
    Kind.PATCH: (ANSWER_CHANGED, "patch"),
    Kind.POINTS: (ANSWER_CONTINUED, "points"),
}


class BeginWatchOperation(msgspec.Struct):
    id: WatchId
    operation: Annotated[str, Meta(max_length=100)]
    parameters: dict[str, Any] = {}


class AnswerSocketWatch(SocketWatch):
    """An operation's watcher."""

    def __init__(self, frames: WatchFrames, answers: LiveAnswers, request: BeginWatchOperation) -> None:
        super().__init__(frames, request.id)
        self._answers = answers
        self._request = request
        self._watch: AnswerWatch | None = None

    async def start(self, principal: Principal) -> None:
        request, request_id = self._request, uuid.uuid4().hex
        watch = await self._answers.watch(request.operation, request.parameters, self, principal, request_id)
        if self.is_over:
            self._answers.close(watch)
        else:
            self._watch = watch

    def resume(self) -> None:
        if self._watch is not None:
            self._answers.resume(self._watch)

    def renewed(self, principal: Principal) -> None:
        if self._watch is not None:
            self.principal = self._watch.principal = principal

    def close(self) -> None:
        if self._watch is not None:
            self._answers.close(self._watch)

    # As a watcher of the answer

    def take(self, form: Form) -> None:
        if self.is_over:
            return
        value = msgspec.Raw(form.encoded(packed))
        frame, name = _FRAMES[form.kind]
        self.frames.send(frame, {"id": self.id, "sequence": form.sequence, name: value})
