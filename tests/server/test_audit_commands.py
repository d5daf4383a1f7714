"""`collab-studio audit`: what it prints and its exit code, over trails that were and were not tampered with."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.cli import ASKED_WRONGLY, FAILED, main
from storage import audit
from storage.database import Database

AT = datetime(2026, 3, 1, tzinfo=UTC)


def write_trail(url: str, rows: int) -> None:
    async def write() -> None:
        database = await Database.open(url)
        try:
            await database.migrate()
            for number in range(rows):
                async with database.write() as connection:
                    await audit.append(
                        connection, actor="ada", action="test", target=str(number), outcome="done", at=AT
                    )
        finally:
            await database.close()

    asyncio.run(write())


def tamper(folder: Path, *statements: str) -> None:
    """As somebody would who may write the file: what keeps rows from mistakes is taken away first."""
    connection = sqlite3.connect(folder / "studio.sqlite3")
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
    for (name,) in triggers.fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_trail(f"sqlite:///{tmp_path / 'studio.sqlite3'}", 5)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], arguments: Sequence[str], *settings: str) -> tuple[int, str, str]:
    code = main(["audit", *arguments, *settings], {})
    printed = capsys.readouterr()
    return code, printed.out.strip(), printed.err.strip()


def test_a_trail_that_nobody_touched_is_as_it_was_written(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, anchor, _ = run(capsys, ["anchor"], "--data", str(folder))
    assert code == 0
    assert anchor.startswith("5:")
    for arguments in (["verify"], ["verify", "--anchor", anchor]):
        assert run(capsys, arguments, "--data", str(folder)) == (0, "the audit trail is as it was written: 5 rows", "")


def test_it_is_the_same_on_either_database(capsys: pytest.CaptureFixture[str], database_url: str) -> None:
    write_trail(database_url, 3)
    code, anchor, _ = run(capsys, ["anchor"], "--database-url", database_url)
    assert (code, anchor[:2]) == (0, "3:")
    assert run(capsys, ["verify", "--anchor", anchor], "--database-url", database_url)[0] == 0


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 2", 2),
        (
            "INSERT INTO audit SELECT 6, at, 'eve', action, target, outcome, details, hash, hash FROM audit WHERE id=5",
            6,
        ),
    ],
)
def test_the_first_row_that_is_not_as_it_was_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path, statement: str, row: int
) -> None:
    tamper(folder, statement)
    code, out, error = run(capsys, ["verify"], "--data", str(folder))
    assert (code, out) == (FAILED, "")
    assert f"row {row} of the audit trail is missing or not as it was written" in error


def test_what_was_cut_off_shows_against_an_anchor(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, anchor, _ = run(capsys, ["anchor"], "--data", str(folder))
    tamper(folder, "DELETE FROM audit WHERE id >= 4")
    assert run(capsys, ["verify"], "--data", str(folder))[0] == 0
    code, _, error = run(capsys, ["verify", "--anchor", anchor], "--data", str(folder))
    assert code == FAILED
    assert "row 4 " in error


@pytest.mark.parametrize("anchor", ["", "5", "5:abc", "0:" + "a" * 64, "x:" + "a" * 64])
def test_what_is_no_anchor_is_refused(capsys: pytest.CaptureFixture[str], folder: Path, anchor: str) -> None:
    code, _, error = run(capsys, ["verify", "--anchor", anchor], "--data", str(folder))
    assert code == ASKED_WRONGLY
    assert "--anchor: expected ID:HASH" in error


def test_nothing_is_made_where_there_is_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, error = run(capsys, ["verify"], "--data", str(tmp_path / "nowhere"))
    assert code == FAILED
    assert "there is no database at" in error
    assert not (tmp_path / "nowhere").exists()
