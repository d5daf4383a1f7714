"""A source that only has samples pushed to it: registered with nothing, tested by when they came, without datasets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from http_node import Node, play

from connectors.datasets import DatasetRef
from connectors.errors import DatasetNotFound, NotReadOnly
from connectors.opening import open_connector
from connectors.settings import SourceSettings
from handlers.access import Role

HERE = "/data-sources"
SOURCE = {"workspace_id": "lab", "name": "Devices", "kind": "metrics", "settings": {}}


def test_its_test_tells_when_the_last_sample_came(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN)
        ada = node.client("ada")
        made = await ada.post(HERE, json=SOURCE)
        assert (made.status_code, made.json()["settings"]) == (201, {})
        source_id = made.json()["id"]
        before = (await ada.post(f"{HERE}/{source_id}/test")).json()
        assert (before["ok"], before["code"]) == (False, "no_samples")
        samples = [{"metric": "heat", "value": 21.5, "at": "2026-03-01T08:59:50Z"}, {"metric": "load", "value": 1}]
        await ada.post(f"/performance/sources/{source_id}/samples", json=samples)
        after = (await ada.post(f"{HERE}/{source_id}/test")).json()
        assert (after["ok"], after["server"]) == (True, "2 series, the last sample of 2026-03-01T09:00:00+00:00")
        found = await ada.post(f"{HERE}/{source_id}/discover")
        assert found.status_code < 300, found.text
        refused = await ada.post(f"{HERE}/{source_id}/backups", json={})
        assert refused.status_code in (400, 409)

    play(tmp_path, scenario)


@pytest.mark.parametrize("settings", [{"path": "/x"}, {"host": "h"}, {"row_cap": 5}])
def test_it_takes_no_settings(tmp_path: Path, settings: dict[str, object]) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN)
        answer = await node.client("ada").post(HERE, json={**SOURCE, "settings": settings})
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            f"settings.{next(iter(settings))}: a source of the kind metrics has no such setting; it has none.",
        )

    play(tmp_path, scenario)


def test_it_has_no_datasets() -> None:
    ref = DatasetRef(None, "t")

    async def scenario() -> None:
        async with await open_connector("metrics", SourceSettings()) as connector:
            assert await connector.list_datasets() == []
            assert await connector.describe_all() == []
            with pytest.raises(DatasetNotFound, match="no tables"):
                await connector.describe(ref)
            with pytest.raises(DatasetNotFound):
                connector.fetch(ref)
            with pytest.raises(NotReadOnly):
                await connector.query("SELECT 1")

    asyncio.run(scenario())
