"""One operation's answer on one node: who watches it here, and which answer each of them has.

Synchronous all the way through. All who ask the same share the answer, its number and the patches between answers. Who
does not take what it was given gets nothing more until it does, and then the newest answer as a whole: there is no
queue that could grow.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from handlers.merge_patch import NotPatchable, patch_between, same_but_for
from handlers.registry import Operation, OperationError, Permission, Principal, TooLarge

# An answer of a screen or two is some kilobytes; each watcher that lags makes us send a whole one.
MAX_ANSWER_BYTES = 1024 * 1024

_encoder = msgspec.msgpack.Encoder()


class Form:
    """Something to be sent, encoded once in each way however many it is sent to."""

    __slots__ = ("_forms", "is_patch", "sequence", "value")

    def __init__(self, sequence: int, value: Any, *, is_patch: bool) -> None:
        """`value` is a whole answer, or a patch of the one before."""
        self.sequence = sequence
        self.value = value
        self.is_patch = is_patch
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
        """A whole answer, or the patch of the one given before, whose number is one less."""

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
        return self.channel.operation.permission


class AnswerChannel:
    """All watches of one operation with one set of parameters. `principal` is None where all may share the answer."""

    def __init__(
        self,
        key: Hashable,
        operation: Operation,
        request: msgspec.Struct,
        workspace_id: str | None,
        principal: Principal | None,
    ) -> None:
        self.key = key
        self.operation = operation
        self.request = request
        self.workspace_id = workspace_id
        self.principal = principal
        self.watches: set[AnswerWatch] = set()
        self.answer: Form | None = None
        # When it is to be computed, on the service's clock; None while it is fresh.
        self.due_at: float | None = None
        self.rests_until = 0.0
        self.refresh_at = 0.0
        self.is_computing = False

    def give(self, value: Any) -> None:
        """The answer as it was just computed, as a result struct. Raises TooLarge."""
        plain = msgspec.to_builtins(value, builtin_types=(datetime,), str_keys=True)
        before, watched = self.answer, self.operation.watched
        if before is not None and watched is not None and same_but_for(before.value, plain, watched.passing):
            return
        whole = Form(before.sequence + 1 if before else 1, plain, is_patch=False)
        size = len(whole.encoded(packed))
        if size > MAX_ANSWER_BYTES:
            message = f"The answer has {size} bytes, and {MAX_ANSWER_BYTES} at most can be watched; ask for less of it."
            raise TooLarge(message, code="answer_too_large")
        self.answer = whole
        change = _smaller(before.value if before else None, whole)
        for watch in tuple(self.watches):
            if watch.sequence == change.sequence - 1:
                self._send(watch, change)
            else:
                self.bring_on(watch)

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
        patch = Form(whole.sequence, patch_between(before, whole.value), is_patch=True)
    except NotPatchable:
        return whole
    return patch if len(patch.encoded(packed)) < len(whole.encoded(packed)) else whole
