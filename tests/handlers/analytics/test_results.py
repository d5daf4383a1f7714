"""Stored answers: their history, what is new between two, and what people say of findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from analysed import SALES, Analyst, analyse
from catalog_sources import run_sqlite

from handlers.analytics import versions


@pytest.fixture(autouse=True)
def fresh_markers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MARKER_SECONDS", 0.0)


def test_history_differences_and_verdicts(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        asked: dict[str, Any] = {"columns": ["price", "cost", "noise"]}
        first = await analyst.ask("correlations", sales, **asked)
        findings = (await analyst.get(f"/analytics/results/{first['result_id']}/findings"))["items"]
        assert [finding["title"][:28] for finding in findings] == ["price and cost: spearman 0.9"]
        print_ = findings[0]["fingerprint"]
        await _judged(analyst, sales, print_)
        run_sqlite(tmp_path / "shop.db", "UPDATE sales SET noise = cost, cost = noise;")
        second = await analyst.ask("correlations", sales, **asked)
        listed = await analyst.get("/analytics/results", workspace_id="lab", dataset_id=sales, kind="correlations")
        assert [row["id"] for row in listed["items"]] == [second["result_id"], first["result_id"]]
        # A dataset is in one workspace, which need not be said.
        unsaid = await analyst.get("/analytics/results", dataset_id=sales, kind="correlations")
        assert unsaid["items"] == listed["items"]
        elsewhere = await analyst.refused("/analytics/results", dataset_id=sales, workspace_id="default")
        assert elsewhere[:2] == (404, "not_found")
        assert [row["key"] == listed["items"][0]["key"] for row in listed["items"]] == [True, True]
        assert [row["findings"] for row in listed["items"]] == [1, 1]
        whole = await analyst.get(f"/analytics/results/{first['result_id']}")
        assert whole["answer"]["result"] == first["result"]
        diff = await analyst.get(f"/analytics/results/{first['result_id']}/diff/{second['result_id']}")
        assert [finding["title"][:15] for finding in diff["new"]] == ["price and noise"]
        assert [finding["fingerprint"] for finding in diff["gone"]] == [print_]
        assert diff["gone"][0]["verdict"]["reason"] == "it is derived"
        assert (diff["changed"], diff["unchanged"]) == ([], 0)
        run_sqlite(tmp_path / "shop.db", "UPDATE sales SET noise = -noise;")
        third = await analyst.ask("correlations", sales, **asked)
        diff = await analyst.get(f"/analytics/results/{second['result_id']}/diff/{third['result_id']}")
        [change] = diff["changed"]
        assert change["before"]["figures"]["low"] > 0 > change["after"]["figures"]["high"]
        # What was said holds when the finding is back.
        run_sqlite(tmp_path / "shop.db", "UPDATE sales SET noise = cost, cost = -noise;")
        back = await analyst.ask("correlations", sales, **asked)
        assert [verdict["fingerprint"] for verdict in back["verdicts"]] == [print_]

    analyse(sqlite_url, tmp_path, scenario)


async def _judged(analyst: Analyst, sales: int, print_: str) -> None:
    place = f"/analytics/datasets/{sales}/verdicts/{print_}"
    ada, eve = analyst.ada, analyst.node.client("eve")
    assert (await eve.put(place, json={"verdict": "acknowledged"})).status_code == 403
    unsaid = await ada.put(place, json={"verdict": "dismissed"})
    assert (unsaid.status_code, unsaid.json()["detail"]) == (400, "reason: Say why it is dismissed; everybody sees it.")
    unknown = await ada.put(place[:-1] + "!", json={"verdict": "acknowledged"})
    assert unknown.status_code == 400
    unknown = await ada.put(f"/analytics/datasets/{sales}/verdicts/nobody", json={"verdict": "acknowledged"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_finding")
    said = await ada.put(place, json={"verdict": "dismissed", "reason": " it is derived "})
    assert said.status_code == 200, said.text
    seen = (await eve.get(f"/analytics/correlations/{sales}?columns=price&columns=cost&columns=noise")).json()
    [verdict] = seen["verdicts"]
    assert (verdict["verdict"], verdict["reason"], verdict["decided_by"]) == ("dismissed", "it is derived", "ada")
    listed = (await eve.get(f"/analytics/datasets/{sales}/verdicts")).json()
    assert listed["items"] == [verdict]
    found = await analyst.get(f"/analytics/results/{seen['result_id']}/findings")
    assert (found["items"], found["dismissed"]) == ([], 1)
    assert len((await analyst.get(f"/analytics/results/{seen['result_id']}/findings", dismissed=True))["items"]) == 1
    assert (await ada.delete(place)).status_code == 204
    assert (await ada.delete(place)).json()["code"] == "no_such_verdict"
    await ada.put(place, json={"verdict": "dismissed", "reason": "it is derived"})


def test_a_finding_needs_an_answer_of_the_same_question(sqlite_url: str, tmp_path: Path) -> None:
    async def scenario(analyst: Analyst) -> None:
        sales = (await analyst.sqlite(SALES))["sales"]
        one = await analyst.ask("correlations", sales, columns=["price", "cost"])
        other = await analyst.ask("relationships", sales, others=0)
        place = f"/analytics/results/{one['result_id']}/diff/{other['result_id']}"
        assert (await analyst.refused(place))[:2] == (400, "invalid_request")
        assert (await analyst.refused("/analytics/results/9999"))[0] == 404
        await analyst.node.make_user("bob")
        stranger = await analyst.node.client("bob").get(f"/analytics/results/{one['result_id']}")
        assert stranger.status_code == 404
        stranger = await analyst.node.client("bob").get("/analytics/results", params={"dataset_id": sales})
        assert stranger.status_code == 404

    analyse(sqlite_url, tmp_path, scenario)
