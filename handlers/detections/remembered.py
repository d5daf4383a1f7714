"""States of streams as somebody stored them last: whoever goes on with the next rows need not read them from bytes."""

from __future__ import annotations

from collections import OrderedDict

from analysis.detections.state import State

# Some hundred kilobytes each; those of more workspaces are read anew.
MOST = 32


class Remembered:
    """For a few transactions in a row.

    What is taken is gone from here, and comes back with the bytes that were stored. So after a transaction that was
    taken back, or when another node has gone on meanwhile, the bytes are others, and nothing wrong is remembered.
    """

    def __init__(self) -> None:
        self._states: OrderedDict[str, tuple[bytes, State]] = OrderedDict()

    def take(self, scope: str, stored: bytes | None) -> State | None:
        """What those bytes are of; None where that is not known."""
        data, state = self._states.pop(scope, (None, None))
        return state if stored is not None and data == stored else None

    def keep(self, scope: str, stored: bytes, state: State) -> None:
        """The state must not be changed any more by whoever gives it."""
        self._states[scope] = stored, state
        if len(self._states) > MOST:
            self._states.popitem(last=False)
