"""Where questions are answered: here or in a worker, and what happens when the worker does not."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from editor import row_of
from http_node import Node, play

from handlers import document_states
from handlers.access import Role
from handlers.collaboration.replays import Question, read_replayed
from handlers.document_states import SMALL_BYTES, SMALL_ROWS, in_worker, is_small, load_until, replayed
from handlers.registry import NotFound, Unavailable
from storage.documents import purge
from storage.update_log import Stored, UpdateRow


def stored(rows: int, size: int, snapshot: bytes | None = None) -> Stored:
    at = datetime.now(UTC)
    return Stored(0, snapshot, [UpdateRow(number, "ada", 0, at, b"x" * size) for number in range(1, rows + 1)], rows)


def process_of(snapshot: bytes | None, updates: list[bytes]) -> int:
    """A worker could not find this function: it is only asked here."""
    return os.getpid()


def test_small_is_few_rows_and_few_bytes() -> None:
    assert is_small(stored(0, 0))
    assert is_small(stored(SMALL_ROWS, 10))
    assert not is_small(stored(SMALL_ROWS + 1, 10))
    assert is_small(stored(1, SMALL_BYTES))
    assert not is_small(stored(1, SMALL_BYTES, b"x"))


def test_a_worker_that_dies_is_a_refusal_and_no_fault(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        with pytest.raises(Unavailable, match="too large"):
            await in_worker(node.parts, os._exit, 1)
        assert await in_worker(node.parts, divmod, 7, 2) == (3, 1)

    play(tmp_path, scenario)


def test_a_document_that_was_deleted_meanwhile_is_not_found(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        await node.client("ada").put("/collaboration/documents/lab/plan/content", json={"text": "x"})
        document = await row_of(node.parts, "lab", "plan")
        assert len((await load_until(node.parts, document, 1)).updates) == 1
        async with node.parts.database.write() as connection:
            await purge(connection, document.id)
        with pytest.raises(NotFound):
            await load_until(node.parts, document, 1)

    play(tmp_path, scenario)


def test_what_is_small_is_replayed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        await node.client("ada").put("/collaboration/documents/lab/plan/content", json={"text": "x"})
        document = await row_of(node.parts, "lab", "plan")
        assert await replayed(node.parts, document, 1, process_of) == os.getpid()
        monkeypatch.setattr(document_states, "SMALL_ROWS", 0)
        question = Question("text", "content")
        assert (await replayed(node.parts, document, 1, read_replayed, question)).value == "x"

    play(tmp_path, scenario)
