"""The document that many join: what two people typed, replayed from a trace into one Yjs update of 223 KB.

The trace makes 56 KB, so the document holds four sessions of it, a new one on top of those before. Every session is
typed by new clients with ids of 32 bits, as editors choose them.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pycrdt

TRACE = Path(__file__).parent / "traces" / "friendsforever.json.gz"
ROOT = "content"
SESSIONS = 4
FIRST_CLIENT = 3_000_000_000


class Transaction(msgspec.Struct):
    parents: list[int]
    agent: int
    patches: list[tuple[int, int, str]]


class Trace(msgspec.Struct):
    """See traces/README.md."""

    end_content: str = msgspec.field(name="endContent")
    agents: int = msgspec.field(name="numAgents")
    transactions: list[Transaction] = msgspec.field(name="txns")


class Replica:
    """The document of one agent, and the last transaction of each agent that it holds (an index, -1 for none)."""

    def __init__(self, client: int, agents: int, base: bytes) -> None:
        self.held = [-1] * agents
        self.document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=client)
        self._text = self.document.get(ROOT, type=pycrdt.Text)
        self.document.apply_update(base)
        self._made: list[bytes] = []
        self._subscription = self.document.observe(lambda event: self._made.append(event.update))

    def catch_up(self, version: list[int], transactions: list[Transaction], updates: list[bytes]) -> None:
        """Apply others' updates until the document holds `version`; raises ValueError where it holds more already."""
        if any(have > want for have, want in zip(self.held, version, strict=True)):
            raise ValueError("an agent of the trace goes back behind what it has seen")
        for index in range(min(self.held) + 1, max(version) + 1):
            agent = transactions[index].agent
            if self.held[agent] < index <= version[agent]:
                self.document.apply_update(updates[index])
        self.held = version

    def type(self, patches: list[tuple[int, int, str]]) -> bytes:
        """Make the patches as one edit and return its update."""
        self._made.clear()
        with self.document.transaction():
            for position, deleted, inserted in patches:
                # The engine counts bytes, the trace code points.
                if not inserted.isascii():
                    raise ValueError("a trace with text beyond ASCII needs its positions converted")
                if deleted:
                    del self._text[position : position + deleted]
                if inserted:
                    self._text.insert(position, inserted)
        return self._made[-1]

    def close(self) -> bytes:
        self.document.unobserve(self._subscription)
        return self.document.get_update()


def read_trace() -> Trace:
    return msgspec.json.decode(gzip.decompress(TRACE.read_bytes()), type=Trace)


def build_state(trace: Trace) -> bytes:
    """The whole document as one update. Raises ValueError where the replay does not end in the trace's text."""
    state = b"\x00\x00"
    for session in range(SESSIONS):
        state = replay(trace.transactions, trace.agents, state, FIRST_CLIENT + session * trace.agents)
    if text_of(state) != trace.end_content * SESSIONS:
        raise ValueError("the replay of the trace does not end in its endContent")
    return state


def replay(transactions: list[Transaction], agents: int, base: bytes, first_client: int) -> bytes:
    """The state after all transactions, typed at the start of the document `base`.

    Each agent types into a document of its own that holds what its transaction's parents hold, no more and no less:
    the positions are relative to that.
    """
    replicas = [Replica(first_client + agent, agents, base) for agent in range(agents)]
    versions: list[list[int]] = []
    updates: list[bytes] = []
    for index, transaction in enumerate(transactions):
        version = [max(held) for held in zip([-1] * agents, *(versions[p] for p in transaction.parents), strict=True)]
        replica = replicas[transaction.agent]
        replica.catch_up(version, transactions, updates)
        updates.append(replica.type(transaction.patches))
        version[transaction.agent] = index
        versions.append(version)
    replicas[0].catch_up([len(transactions) - 1] * agents, transactions, updates)
    states = [replica.close() for replica in replicas]
    return states[0]


def text_of(state: bytes) -> str:
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    text = document.get(ROOT, type=pycrdt.Text)
    document.apply_update(state)
    return str(text)


def kept_state(folder: Path) -> Path:
    """The file that holds the state, built on the first call."""
    path = folder / "joined-document.update"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(build_state(read_trace()))
        partial.replace(path)
    return path
