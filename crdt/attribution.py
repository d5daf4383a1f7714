"""Who brought which content of a document: ids by the rows of its log."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

from crdt.lib0 import MalformedError
from crdt.update import inspect_update

# How an update came: typed over a socket, synced over a socket; other numbers are edits made by the server.
_LIVE, _SYNCED = 0, 1


class LogEntry(Protocol):
    """A row of the update log. Origins: 0 live edit, 1 synced, 2 HTTP edit, 3 restore, 4 system."""

    @property
    def number(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def origin(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def data(self) -> bytes: ...


class Writer(NamedTuple):
    """Who wrote something, with which number of the log it came and when, and who brought it if that was another."""

    author: str
    number: int
    at: datetime
    relayed_by: str | None = None


class Attribution:
    """The writers of all content ids that a log brings.

    A client id is one editor session; it is bound to the user who first wrote with it live. What another user brings
    of it in a sync is that user's work, relayed: while the writer was offline, say. Client ids that the server itself
    writes with are never bound, since it writes for many. Content belongs to the first row that brings it.
    """

    def __init__(self, rows: Iterable[LogEntry]) -> None:
        self.bindings: dict[int, str] = {}
        self._ranges: dict[int, _Ranges] = {}
        unbound: set[int] = set()
        for row in rows:
            try:
                shape = inspect_update(row.data)
            except MalformedError:
                continue  # left out of the document as well
            for client, clock, length in shape.structs:
                ranges = self._ranges.get(client)
                if ranges is None:
                    ranges = self._ranges[client] = _Ranges()
                if ranges.add(clock, clock + length, row):
                    if row.origin == _LIVE:
                        self.bindings.setdefault(client, row.author)
                    elif row.origin != _SYNCED:
                        unbound.add(client)
        for client in unbound:
            self.bindings.pop(client, None)

    def writers(self, client: int, clock: int, length: int) -> Iterator[tuple[int, Writer | None]]:
        """The writers of a run of ids: lengths that add up to that of the run, each with its writer if known."""
        ranges = self._ranges.get(client)
        if ranges is None:
            yield length, None
            return
        for part, row in ranges.parts(clock, clock + length):
            yield part, self._writer(client, row) if row else None

    def _writer(self, client: int, row: LogEntry) -> Writer:
        bound = self.bindings.get(client)
        if row.origin == _SYNCED and bound is not None and bound != row.author:
            return Writer(bound, row.number, row.created_at, row.author)
        return Writer(row.author, row.number, row.created_at)


class _Ranges:
    """Runs of one client's clocks, apart and ascending, each with the row that brought it first."""

    __slots__ = ("ends", "rows", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.rows: list[LogEntry] = []

    def add(self, start: int, end: int, row: LogEntry) -> bool:
        """Take what is not there yet as brought by the row; says whether there was any."""
        if not self.ends or start >= self.ends[-1]:
            self.starts.append(start)
            self.ends.append(end)
            self.rows.append(row)
            return True
        at = max(bisect_right(self.starts, start) - 1, 0)
        added = False
        while start < end:
            if at < len(self.starts) and self.starts[at] <= start:
                start = max(start, self.ends[at])
                at += 1
                continue
            gap_end = min(end, self.starts[at]) if at < len(self.starts) else end
            self.starts.insert(at, start)
            self.ends.insert(at, gap_end)
            self.rows.insert(at, row)
            added = True
            start = gap_end
            at += 1
        return added

    def parts(self, start: int, end: int) -> Iterator[tuple[int, LogEntry | None]]:
        """The run from `start` to `end`, cut where rows begin and end."""
        at = max(bisect_right(self.starts, start) - 1, 0)
        while start < end:
            while at < len(self.ends) and self.ends[at] <= start:
                at += 1
            if at == len(self.starts) or self.starts[at] >= end:
                yield end - start, None
                return
            if self.starts[at] > start:
                yield self.starts[at] - start, None
                start = self.starts[at]
            until = min(end, self.ends[at])
            yield until - start, self.rows[at]
            start = until


def bindings(rows: Iterable[LogEntry]) -> dict[int, str]:
    """Which user writes with which client id, as far as the log shows."""
    return Attribution(rows).bindings
