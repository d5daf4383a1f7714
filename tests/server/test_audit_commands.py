"""`collab-studio audit`: what it prints and its exit code, over trails that were and were not tampered with."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
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
    ("statement", "says"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE id = 3", "row 3 of the audit trail is not as it was written"),
        ("DELETE FROM audit WHERE id = 2", "row 2 of the audit trail is missing"),
        (
            "INSERT INTO audit SELECT 6, at, 'eve', action, target, outcome, details, hash, hash FROM audit WHERE id=5",
            "row 6 of the audit trail is not as it was written",
        ),
    ],
)
def test_the_first_row_that_is_not_as_it_was_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path, statement: str, says: str
) -> None:
    tamper(folder, statement)
    code, out, error = run(capsys, ["verify"], "--data", str(folder))
    assert (code, out) == (FAILED, "")
    assert error == f"collab-studio: {says}"


def test_what_was_cut_off_shows_against_an_anchor(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, anchor, _ = run(capsys, ["anchor"], "--data", str(folder))
    tamper(folder, "DELETE FROM audit WHERE id >= 4")
    assert run(capsys, ["verify"], "--data", str(folder))[0] == 0
    code, _, error = run(capsys, ["verify", "--anchor", anchor], "--data", str(folder))
    assert code == FAILED
    assert "row 4 " in error


def test_of_many_anchors_each_counts(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, anchor, _ = run(capsys, ["anchor"], "--data", str(folder))
    altered = f"3:{'0' * 64}"
    code, _, error = run(capsys, ["verify", "--anchor", anchor, "--anchor", altered], "--data", str(folder))
    assert (code, "row 3 of the audit trail is not the one of the anchor" in error) == (FAILED, True)


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        (["--from", "2", "--to", "4"], "from row 2 to row 4"),
        (["--from", "4"], "from row 4 to row 5"),
        (["--from", "2026-03-01T00:00Z", "--to", "2026-03-01"], "from row 1 to row 5"),
        (["--to", "2026-03-01T02:00+02:00"], "from row 1 to row 5"),
    ],
)
def test_a_part_is_verified(capsys: pytest.CaptureFixture[str], folder: Path, ends: Sequence[str], says: str) -> None:
    code, out, error = run(capsys, ["verify", *ends], "--data", str(folder))
    assert (code, out, error) == (0, f"the audit trail is as it was written {says}", "")


@pytest.mark.parametrize(
    ("ends", "code", "says"),
    [
        (["--from", "0"], ASKED_WRONGLY, "--from: expected a row's number or a time"),
        (["--to", "yesterday"], ASKED_WRONGLY, "--to: expected a row's number or a time"),
        (["--from", "4", "--to", "3"], FAILED, "comes after the last"),
        (["--from", "2027-01-01"], FAILED, "no row of the audit trail lies between"),
        (["--to", "9"], FAILED, "row 6 of the audit trail is missing, as are all that came after it"),
    ],
)
def test_a_part_that_is_not_there_is_said(
    capsys: pytest.CaptureFixture[str], folder: Path, ends: Sequence[str], code: int, says: str
) -> None:
    for part in ("verify",) if "9" in ends else ("verify", "export"):
        found, _, error = run(capsys, [part, *ends], "--data", str(folder))
        assert (found, says in error) == (code, True), error


def test_rows_are_exported_in_three_forms(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    def lines(*arguments: str) -> list[str]:
        code, out, error = run(capsys, ["export", *arguments], "--data", str(folder))
        assert (code, error) == (0, "")
        return out.splitlines()

    rows = [json.loads(line) for line in lines("--from", "2", "--to", "4")]
    assert [(row["id"], row["at"], row["details"]) for row in rows] == [(i, AT.isoformat(), {}) for i in (2, 3, 4)]
    assert rows[1]["previous_hash"] == rows[0]["hash"]
    events = [json.loads(line) for line in lines("--format", "ocsf")]
    assert [event["metadata"]["sequence"] for event in events] == [1, 2, 3, 4, 5]
    for event in events:
        assert hashlib.sha256(event["raw_data"].encode()).hexdigest() == event["unmapped"]["hash"]
    table = list(csv.DictReader(lines("--format", "csv", "--to", "2")))
    assert [(row["id"], row["actor"], row["hash"]) for row in table] == [
        ("1", "ada", events[0]["unmapped"]["hash"]),
        ("2", "ada", events[1]["unmapped"]["hash"]),
    ]


@pytest.mark.parametrize(
    ("statement", "ends", "row"),
    [
        ("UPDATE audit SET details = 'broken' WHERE id = 3", [], 3),
        ("DELETE FROM audit WHERE id = 3", ["--from", "3"], 3),
        ("DELETE FROM audit WHERE id = 2", ["--from", "3"], 2),
        ("DELETE FROM audit WHERE id = 5", ["--to", "5"], 5),
    ],
)
def test_what_was_tampered_with_is_exported_and_said(
    capsys: pytest.CaptureFixture[str], folder: Path, statement: str, ends: Sequence[str], row: int
) -> None:
    tamper(folder, statement)
    code, out, error = run(capsys, ["export", "--format", "ocsf", *ends], "--data", str(folder))
    assert code == FAILED
    assert f"row {row} of the audit trail is missing or not as it was written" in error
    assert len(out.splitlines()) >= 2


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
