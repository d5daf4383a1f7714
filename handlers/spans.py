"""The seam for traces: a part is given a `Span` and wraps what it does in one; by default that is nothing at all."""

from __future__ import annotations

import contextlib
from typing import Protocol

_NOTHING = contextlib.nullcontext()


class Span(Protocol):
    """Called with what is done and some numbers about it: a context that lasts as long as the work."""

    def __call__(self, name: str, /, **attributes: int) -> contextlib.AbstractContextManager[object]: ...


def no_span(_name: str, /, **_attributes: int) -> contextlib.AbstractContextManager[object]:
    """Nobody looks."""
    return _NOTHING
