"""One operation's answer on one node: who watches it here, and which answer each of them has.

Synchronous all the way through. All who ask the same share the answer, its number and the patches between answers. Who
does not take what it was given gets nothing more until it does, and then the newest answer as a whole: there is no
queue that could grow.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from handlers.merge_patch import NotPatchable, patch_between, same_but_for
from handlers.registry import Context, Operation, OperationError, Permission, Principal, TooLarge

# An answer of a screen or two is some kilobytes; each watcher that lags makes us send a whole one.
MAX_ANSWER_BYTES = 1024 * 1024

_encoder = msgspec.msgpack.Encoder()


class Kind(enum.Enum):
    """What is sent of an answer."""

    WHOLE = "whole"
    PATCH = "patch"
    POINTS = "points"


class Form:
    """Something to be sent, encoded once in each way however many it is sent to."""

    __slots__ = ("_forms", "kind", "sequence", "value")

    def __init__(self, sequence: int, value: Any, kind: Kind) -> None:
        """`value` is a whole answer, a patch of the one before, or how that goes on."""
        self.sequence = sequence
        self.value = value
        self.kind = kind
        self._forms: dict[Callable[[Any], bytes], bytes] = {}

    def encoded(self, encode: Callable[[Any], bytes]) -> bytes:
        """The value as `encode` has it."""
        made = self._forms.get(encode)
        if made is None:
            made = self._forms[encode] = encode(self.value)
        return made


class AnswerWatcher(Protocol):
    """Whom answers are given to: a socket or an event stream. Nothing here waits or raises."""

    @property
    def is_congested(self) -> bool:
        """Whether it has not taken yet what it was given: it is given nothing more before it has."""

    def take(self, form: Form) -> None:
        """A whole answer, or what changed of the one given before, whose number is one less."""

    def ended(self, error: OperationError) -> None:
        """The watch is over: the watcher may not have more, or there is no answer any more."""


class AnswerWatch:
    """One watcher of one answer. `sequence` is the number of the answer that it has, 0 before the first."""

    __slots__ = ("channel", "is_over", "principal", "sequence", "watcher")

    def __init__(self, channel: AnswerChannel, watcher: AnswerWatcher, principal: Principal) -> None:
        self.channel = channel
        self.watcher = watcher
        self.principal = principal
        self.sequence = 0
        self.is_over = False

    @property
    def workspace_id(self) -> str | None:
        return self.channel.workspace_id

    @property
    def permission(self) -> Permission:
        return self.channel.permission

    @property
    def operation(self) -> str:
        return self.channel.operation.name


class AnswerChannel:
    """All watches of one operation with one set of parameters. `principal` is None where all may share the answer.

    `standing` is what watchers need: a permission, and in which workspace.
    """

    def __init__(
        self,
        key: Hashable,
        operation: Operation,
        request: msgspec.Struct,
        standing: tuple[Permission, str | None],
        principal: Principal | None,
    ) -> None:
        self.key = key
        self.operation = operation
        self.request = request
        self.permission, self.workspace_id = standing
        self.principal = principal
        watched = operation.watched
        self.pause_seconds = watched.pause_seconds if watched is not None else 1.0
        self._following = watched.follow(request) if watched is not None and watched.follow is not None else None
        self.watches: set[AnswerWatch] = set()
        self.answer: Form | None = None
        # When it is to be computed, on the service's clock; None while it is fresh.
        self.due_at: float | None = None
        self.rests_until = 0.0
        self.refresh_at = 0.0
        self.is_computing = False

    async def computed(self, context: Context) -> Any:
        """The answer as it is now, as a result struct. Raises OperationError."""
        if self._following is not None:
            return await self._following.answer(context)
        return await self.operation.handler(context, self.request)

    def give(self, value: Any) -> None:
        """The answer as it was just computed, as a result struct. Raises TooLarge."""
        plain = msgspec.to_builtins(value, builtin_types=(datetime,), str_keys=True)
        before = self.answer
        whole = Form(before.sequence + 1 if before else 1, plain, Kind.WHOLE)
        change = self._change(before, whole)
        if change is None:
            return
        size = len(whole.encoded(packed))
        if size > MAX_ANSWER_BYTES:
            message = f"The answer has {size} bytes, and {MAX_ANSWER_BYTES} at most can be watched; ask for less of it."
            raise TooLarge(message, code="answer_too_large")
        self.answer = whole
        for watch in tuple(self.watches):
            if watch.sequence == change.sequence - 1:
                self._send(watch, change)
            else:
                self.bring_on(watch)

    def _change(self, before: Form | None, whole: Form) -> Form | None:
        """What to send to those who have the answer before; None where it is the same."""
        watched = self.operation.watched
        if before is None or watched is None:
            return whole
        if watched.continued is not None:
            points = watched.continued(before.value, whole.value)
            if points is not None:
                return Form(whole.sequence, points, Kind.POINTS) if points else None
        if same_but_for(before.value, whole.value, watched.passing):
            return None
        return _smaller(before.value, whole)

    def bring_on(self, watch: AnswerWatch) -> None:
        """Give it the newest answer, unless it has that."""
        if self.answer is not None and watch.sequence < self.answer.sequence:
            self._send(watch, self.answer)

    def _send(self, watch: AnswerWatch, form: Form) -> None:
        if not (watch.is_over or watch.watcher.is_congested):
            watch.sequence = form.sequence
            watch.watcher.take(form)


def packed(value: Any) -> bytes:
    """MessagePack, as frames have it."""
    return _encoder.encode(value)


def _smaller(before: Any, whole: Form) -> Form:
    """The patch, where there is one and it is shorter than the answer."""
    if not (isinstance(before, dict) and isinstance(whole.value, dict)):
        return whole
    try:
        patch = Form(whole.sequence, patch_between(before, whole.value), Kind.PATCH)
    except NotPatchable:
        return whole
    return patch if len(patch.encoded(packed)) < len(whole.encoded(packed)) else whole
