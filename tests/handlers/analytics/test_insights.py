"""Insights over HTTP: found in a source, compared with what a scan stored, put in other words by a language model."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from analysed import Analyst, analyse
from catalog_sources import lab, run_sqlite
from http_node import serving
from receivers import Received, Receiver, Reply, receiving
from scanning import scan_with

from handlers.analytics import versions
from handlers.language_model import LanguageModel
from handlers.outgoing import OutgoingHttp, OutgoingPolicy
from handlers.parts import Outgoing

# One region leads by far, and a stand-in for null is among the amounts.
SHOP = """
CREATE TABLE shop (id INTEGER PRIMARY KEY, region TEXT, amount REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800)
INSERT INTO shop SELECT i, CASE WHEN i % 10 < 6 THEN 'north' ELSE 'r' || (i % 10) END,
    CASE WHEN i % 20 = 0 THEN -999 ELSE 20 + (i*i*i * 31 + i * 7) % 97 END FROM n;
"""


def test_insights_say_what_stands_out(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        shop = (await analyst.sqlite(SHOP))["shop"]
        answer = await analyst.ask("insights", shop)
        assert answer["state"] == "done", answer
        result = answer["result"]
        types = {insight["type"] for insight in result["insights"]}
        assert {"majority", "sentinel"} <= types, types
        assert result["tests_performed"] > 0
        sentinel = next(insight for insight in result["insights"] if insight["type"] == "sentinel")
        assert "-999" in sentinel["sentence"]
        assert sentinel["query"]["sql"].startswith("SELECT")
        assert sentinel["chart"]["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        # The rows behind it, asked of the source itself.
        with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
            assert connection.execute(sentinel["query"]["sql"]).fetchall()
        only = await analyst.ask("insights", shop, types=["majority"], limit=1)
        assert {insight["type"] for insight in only["result"]["insights"]} == {"majority"}
        status, _, said = await analyst.refused(f"/analytics/insights/{shop}", types=["magic"])
        assert status == 400
        assert said.startswith("types: there is no type 'magic'")
        place = f"/analytics/datasets/{shop}/verdicts/{sentinel['id']}"
        assert (await analyst.ada.put(place, json={"verdict": "acknowledged"})).status_code == 200
        again = await analyst.ask("insights", shop)
        assert [verdict["fingerprint"] for verdict in again["verdicts"]] == [sentinel["id"]]
        unworded = await analyst.ask("insights", shop, rephrase=True)
        assert unworded["rephrased"] == {}
        assert "settings name no language model" in unworded["notes"][-1]

    analyse(sqlite_url, tmp_path, scenario)


def test_drift_is_told_beside_what_a_scan_stored(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "MARKER_SECONDS", 0.0)

    async def scenario(scanner: Any) -> None:
        run_sqlite(tmp_path / "shop.db", SHOP)
        source = await scanner.source("shop", "sqlite", path=str(tmp_path / "shop.db"))
        scan = await scanner.scan(source)
        assert scan["state"] == "succeeded"
        [dataset] = (await scanner.ada.get(f"/data-sources/{source}/catalog")).json()["datasets"]
        place = f"/analytics/insights/{dataset['id']}"
        still = (await scanner.ada.get(place, params={"types": ["drift"]})).json()
        assert (still["state"], still["result"]["insights"]) == ("done", [])
        run_sqlite(tmp_path / "shop.db", "UPDATE shop SET amount = amount * 3 + 200 WHERE amount > 0;")
        moved = (await scanner.ada.get(place, params={"types": ["drift"]})).json()
        [insight] = [each for each in moved["result"]["insights"] if each["columns"] == ["amount"]]
        assert f"scan {scan['id']}" in insight["sentence"]
        wrong = await scanner.ada.get(place, params={"reference_scan": 999})
        assert (wrong.status_code, wrong.json()["details"]) == (400, {"parameter": "reference_scan"})

    scan_with(engine_url, tmp_path, scenario)


def test_a_language_model_changes_words_and_no_figures(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving() as receiver:
            receiver.on_request = lambda request: _answered(receiver, request)
            allowed = OutgoingHttp(OutgoingPolicy(["127.0.0.1"]))
            model = LanguageModel(f"http://127.0.0.1:{receiver.port}/v1", "tiny", "key-1")
            async with serving(sqlite_url, outgoing=Outgoing(allowed, language_model=model)) as node:
                analyst = Analyst(node, await lab(node), tmp_path)
                shop = (await analyst.sqlite(SHOP))["shop"]
                answer = await analyst.ask("insights", shop, rephrase=True)
                sentences = {insight["id"]: insight["sentence"] for insight in answer["result"]["insights"][:20]}
                first, *rest = sentences
                assert answer["rephrased"] == {key: f"In short: {sentences[key]}" for key in rest}
                assert first not in answer["rephrased"]
                assert answer["notes"][-1].startswith("1 sentences stay as they are")
                [request] = receiver.received
                assert (request.path, request.headers["authorization"]) == ("/v1/chat/completions", "Bearer key-1")
                assert request.json["model"] == "tiny"
                # What is stored is not asked again.
                assert (await analyst.ask("insights", shop, rephrase=True))["cached"]
                assert len(receiver.received) == 1

    asyncio.run(scenario())


async def _answered(receiver: Receiver, request: Received) -> None:
    """Words before each sentence, and in the first one another number."""
    sentences = json.loads(request.json["messages"][1]["content"])
    told = {
        key: f"In short: {sentence}" + (" That is 12345.6 in all." if place == 0 else "")
        for place, (key, sentence) in enumerate(sentences.items())
    }
    body = {"choices": [{"message": {"role": "assistant", "content": f"```json\n{json.dumps(told)}\n```"}}]}
    receiver.replies.append(Reply(body=json.dumps(body).encode()))
