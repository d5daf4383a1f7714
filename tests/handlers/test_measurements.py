"""Measurements are told once they are stored, of which source, and not too often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from http_node import Node, play

from handlers import measurements
from handlers.changes import Changed
from storage import data_sources
from storage.data_sources import DataSource
from storage.samples.columns import SampleColumns, SeriesKey


def one_sample(node: Node, value: float, *, ahead_ms: int = 0) -> SampleColumns:
    at = np.array([int(node.now().timestamp() * 1000) + ahead_ms], np.int64)
    return SampleColumns((SeriesKey("load"),), np.zeros(1, np.int32), at, np.array([value]))


async def a_source(node: Node) -> DataSource:
    await node.make_workspace("lab")
    async with node.parts.database.write() as connection:
        return await data_sources.create(
            connection,
            workspace_id="lab",
            name="Shop",
            kind="sqlite",
            description=None,
            settings={},
            owner="ada",
            at=node.now(),
        )


def test_what_is_stored_is_told_of_its_source(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await a_source(node)
        heard: list[Changed] = []
        node.parts.changes.listen(heard.append)
        assert (await measurements.store(node.parts, source, one_sample(node, 1.0))).stored == 1
        assert heard == [Changed("metrics", "lab", f"source:{source.id}")]
        assert (await measurements.store(node.parts, None, one_sample(node, 2.0))).stored == 1
        assert heard[1:] == [Changed("metrics", None, "source:0")]
        # Soon after the first the same word waits for its turn.
        await measurements.store(node.parts, source, one_sample(node, 3.0))
        assert len(heard) == 2
        node.parts.changes.close()

    play(tmp_path, scenario)


def test_what_is_not_stored_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(node: Node) -> None:
        source = await a_source(node)
        heard: list[Changed] = []
        node.parts.changes.listen(heard.append)
        refused = await measurements.store(node.parts, source, one_sample(node, 1.0, ahead_ms=3_600_000))
        assert (refused.stored, refused.refused_times) == (0, 1)

        async def fails(source_id: int, columns: SampleColumns) -> None:
            raise OSError("the disk is full")

        monkeypatch.setattr(node.parts.samples, "append", fails)
        with pytest.raises(OSError, match="full"):
            await measurements.store(node.parts, source, one_sample(node, 1.0))
        assert heard == []

    play(tmp_path, scenario)
