"""Backups of sources in files: made, verified, restored somewhere else, kept and removed."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from direct_run import DirectRun
from http_node import Node, executing, serving
from run_nodes import run_when
from sources import Source, duckdb_source, files_source, sqlite_source

from connectors import errors
from connectors.datasets import Kind
from handlers.access import Role
from handlers.backups.restoring import refuse_source
from handlers.backups.taking import JOBS, BackUp, Restore, Verify, back_up, restore, verify
from handlers.jobs import StepFailed
from storage import backups, data_sources

SOURCES = {Kind.SQLITE: sqlite_source, Kind.DUCKDB: duckdb_source, Kind.FILES: files_source}
PIECES = {Kind.SQLITE: (2, 5), Kind.DUCKDB: (2, 5), Kind.FILES: (1, 0)}


async def register(node: Node, source: Source, workspace: str = "lab") -> int:
    async with node.parts.database.write() as connection:
        row = await data_sources.create(
            connection,
            workspace_id=workspace,
            name=f"{source.kind} of {workspace}",
            kind=source.kind,
            description=None,
            settings={"path": str(source.settings.path)},
            owner="ada",
            at=node.clock,
        )
    return row.id


def run_of(node: Node, run_id: str = "run", *, by: str = "admin", workspace: str = "lab") -> DirectRun:
    return DirectRun(node.parts, run_id, workspace_id=workspace, created_by=by)


async def the_backup(node: Node, source_id: int) -> dict[str, Any]:
    answer = await node.client("ada").get(f"/data-sources/{source_id}/backups")
    first: dict[str, Any] = answer.json()["items"][0]
    return first


def play(place: Path | str, folder: Path, scenario: Callable[[Node], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(place, folder=folder / "data") as node:
            await node.make_workspace("lab", ada=Role.OWNER, vic=Role.VIEWER)
            await scenario(node)

    asyncio.run(run())


@pytest.mark.parametrize("kind", SOURCES)
def test_a_backup_is_made_verified_and_restored(kind: Kind, tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        number = await register(node, source)
        made = await back_up(run_of(node), BackUp(source_id=number))
        assert made.verified, made
        shown = await the_backup(node, number)
        assert (shown["state"], shown["pieces"], shown["rows"]) == ("succeeded", *PIECES[kind])
        assert (shown["verification"]["ok"], shown["verification"]["method"]) == (True, "restore")
        status = (await node.client("vic").get(f"/data-sources/{number}/backup-status")).json()
        assert (status["verdict"], status["backups"], status["archiver"]) == ("protected", 1, None)
        target = tmp_path / "elsewhere" / "restored"
        wanted = Restore(source_id=number, backup_id=made.backup_id, target=str(target))
        restored = await restore(run_of(node, "again"), wanted)
        assert (restored.target, restored.rows) == (str(target), PIECES[kind][1])
        stored = node.parts.runs.folder / "backups" / str(number)
        for path in (*stored.iterdir(), target, *target.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, f"others of the machine may open {path}"
        same = replace(source, settings=replace(source.settings, path=target))
        async with await same.open() as connector:
            assert await connector.count_rows(source.ref) == 5
        with pytest.raises(StepFailed, match="is there already") as refused:
            await restore(run_of(node, "twice"), wanted)
        assert refused.value.code == "target_exists"
        kept = sorted(path.name for path in stored.iterdir())
        assert len(kept) == 1, kept

    place = tmp_path / "source"
    place.mkdir()
    source = SOURCES[kind](place)
    play(tmp_path, tmp_path, scenario)


def test_it_is_told_and_kept_in_both_databases(database_url: str, tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)

    async def scenario(node: Node) -> None:
        number = await register(node, source)
        here, ada = f"/data-sources/{number}/backups", node.client("ada")
        assert (await ada.get(f"/data-sources/{number}/backup-status")).json()["verdict"] == "none"
        created = (await ada.post(here, json={"verify": False})).json()
        assert (created["state"], created["run_id"][:7]) == ("queued", "backup:")
        run = run_of(node, created["run_id"], by="ada")
        assert (await back_up(run, BackUp(source_id=number, verify=False))).backup_id == created["id"]
        status = (await ada.get(f"/data-sources/{number}/backup-status")).json()
        assert status["verdict"] == "unverified"
        await verify(run_of(node, "v"), Verify(source_id=number, backup_id=created["id"]))
        assert (await ada.get(f"{here}/{created['id']}")).json()["verification"]["ok"]
        started = await ada.post(f"{here}/{created['id']}/restore", json={})
        assert (started.status_code, started.json()["state"]) == (202, "queued")
        events = (await ada.get("/feeds/lab/activity")).json()["items"]
        assert [event["type"] for event in events[::-1]] == ["backup.succeeded", "backup.verified"]
        assert (await node.client("vic").post(here, json={})).status_code == 403
        assert (await node.client("vic").post(f"{here}/{created['id']}/restore", json={})).status_code == 403
        assert (await ada.delete(f"{here}/{created['id']}")).status_code == 204
        assert (await ada.get(f"{here}/{created['id']}")).status_code == 404
        assert not list((node.parts.runs.folder / "backups" / str(number)).iterdir())

    play(database_url, tmp_path, scenario)


def test_verification_sees_other_bytes_and_other_rows(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)

    async def scenario(node: Node) -> None:
        number = await register(node, source)
        made = await back_up(run_of(node), BackUp(source_id=number, verify=False))
        wanted = Verify(source_id=number, backup_id=made.backup_id)
        async with node.parts.database.read() as connection:
            row = await backups.get(connection, number, made.backup_id)
        assert row is not None
        path = node.parts.runs.folder / str(row.file)
        with contextlib.closing(sqlite3.connect(path)) as stored, stored:
            stored.execute("DROP TABLE part")
            stored.execute(f"DELETE FROM {source.table} WHERE id = 3")
        other_bytes = await verify(run_of(node, "v1"), wanted)
        assert (other_bytes.ok, other_bytes.method) == (False, "checksum")
        await set_digest(node, row.id, path)
        other_rows = await verify(run_of(node, "v2"), wanted)
        assert not other_rows.ok
        assert any("'part' is missing." in told for told in other_rows.differences), other_rows.differences
        assert any("4 rows instead of 5" in told for told in other_rows.differences), other_rows.differences
        status = (await node.client("ada").get(f"/data-sources/{number}/backup-status")).json()
        assert status["verdict"] == "damaged"

    play(tmp_path, tmp_path, scenario)


async def set_digest(node: Node, backup_id: int, path: Path) -> None:
    """As if the file had been written so."""
    from handlers.backups.copying import digest  # noqa: PLC0415
    from storage.backup_tables import backups as table  # noqa: PLC0415

    value = await digest(path)
    async with node.parts.database.write() as connection:
        await connection.execute(table.update().where(table.c.id == backup_id).values(sha256=value))


def test_one_that_is_damaged_is_not_restored(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)

    async def scenario(node: Node) -> None:
        number = await register(node, source)
        made = await back_up(run_of(node), BackUp(source_id=number, verify=False))
        [path] = (node.parts.runs.folder / "backups" / str(number)).iterdir()
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(StepFailed) as refused:
            await restore(run_of(node, "r"), Restore(source_id=number, backup_id=made.backup_id))
        assert refused.value.code == "backup_damaged"
        assert not list((node.parts.runs.folder / "restored").rglob("*.sqlite3"))

    play(tmp_path, tmp_path, scenario)


def test_never_over_the_source(tmp_path: Path) -> None:
    source = files_source(tmp_path)

    async def scenario(node: Node) -> None:
        number = await register(node, source)
        made = await back_up(run_of(node), BackUp(source_id=number, verify=False))
        for target in (source.settings.path, Path(str(source.settings.path)) / "inside"):
            wanted = Restore(source_id=number, backup_id=made.backup_id, target=str(target))
            with pytest.raises(StepFailed) as refused:
                await restore(run_of(node, "r"), wanted)
            assert refused.value.code == "target_is_source", target

    play(tmp_path, tmp_path, scenario)
    with pytest.raises(StepFailed, match="never restored over its source"):
        refuse_source(Kind.POSTGRESQL, None, "shop", "shop")


def test_who_may_name_a_path(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)

    async def scenario(node: Node) -> None:
        number = await register(node, source)
        made = await back_up(run_of(node), BackUp(source_id=number, verify=False))
        wanted = Restore(source_id=number, backup_id=made.backup_id, target=str(tmp_path / "new"))
        with pytest.raises(StepFailed, match="Only a server administrator"):
            await restore(run_of(node, "r", by="ada"), wanted)
        # A run of another workspace has nothing to do with this source.
        await node.make_workspace("den", eve=Role.OWNER)
        theirs = run_of(node, "d", by="eve", workspace="den")
        for attempt in (back_up(theirs, BackUp(source_id=number)), restore(theirs, wanted)):
            with pytest.raises(StepFailed) as refused:
                await attempt
            assert refused.value.code == "no_source"

    play(tmp_path, tmp_path, scenario)


def test_what_failed_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)

    async def scenario(node: Node) -> None:
        number = await register(node, source)
        assert source.settings.path is not None
        source.settings.path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        with pytest.raises(StepFailed):
            await back_up(run_of(node), BackUp(source_id=number))
        shown = await the_backup(node, number)
        assert (shown["state"], shown["error"]["code"]) == ("failed", errors.WrongFormat.code)
        folder = node.parts.runs.folder / "backups" / str(number)
        assert not list(folder.iterdir())
        status = (await node.client("ada").get(f"/data-sources/{number}/backup-status")).json()
        assert status["verdict"] == "failing"
        assert shown["error"]["message"] in status["summary"]

    play(tmp_path, tmp_path, scenario)


def test_the_newest_are_kept_and_one_that_is_known_to_be_good(tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)

    async def scenario(node: Node) -> None:
        node.parts = replace(node.parts, backups=replace(node.parts.backups, kept=2))
        number = await register(node, source)
        for turn in range(4):
            await back_up(run_of(node, f"run {turn}"), BackUp(source_id=number, verify=turn == 0))
        async with node.parts.database.read() as connection:
            rows = await backups.list_of(connection, number, limit=10)
        assert [row.run_id for row in rows] == ["run 3", "run 2", "run 0"]
        assert len(list((node.parts.runs.folder / "backups" / str(number)).iterdir())) == 3

    play(tmp_path, tmp_path, scenario)


def test_the_engine_makes_one(engine_url: str, tmp_path: Path) -> None:
    source = sqlite_source(tmp_path)

    async def run() -> None:
        async with executing(engine_url, jobs=JOBS, folder=tmp_path) as node:
            await node.make_workspace("lab", ada=Role.OWNER)
            number = await register(node, source)
            here = f"/data-sources/{number}/backups"
            created = (await node.client("ada").post(here, json={})).json()
            await run_when(node.parts.database, created["run_id"])
            shown = (await node.client("ada").get(f"{here}/{created['id']}")).json()
            assert (shown["state"], shown["verification"]["ok"]) == ("succeeded", True)

    asyncio.run(run())


def test_no_room_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors import sqlite_backup  # noqa: PLC0415

    source = sqlite_source(tmp_path)
    assert source.settings.path is not None
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(errors.DiskFull):
        sqlite_backup.back_up(source.settings.path, tmp_path / "copy", lambda *_: None)
    assert not (tmp_path / "copy").exists()
