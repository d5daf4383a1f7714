"""Alert rules over HTTP: who may, what is refused, and what becomes of open alerts when a rule changes."""

from pathlib import Path
from typing import Any

from alerting import Stepped, above, events, make_lab, make_rule, open_alerts, push
from http_node import Node, play
from sqlalchemy import update

from handlers.alert_rules.templates import TEMPLATES
from storage.alert_tables import alert_rules

RULES = "/performance/alert-rules"


def busy(**changes: Any) -> dict[str, Any]:
    query = {"kind": "threshold", "selector": {"metric": "cpu"}, "op": ">", "threshold": 90}
    return {"name": "Busy", "workspace_id": "lab", "severity": "high", "spec": {"query": query}} | changes


def test_a_rule_is_made_looked_at_changed_and_deleted(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        ada = node.client("ada")
        made = await ada.post(RULES, json=busy(data_source_id=source.id, labels={"team": "data"}))
        assert made.status_code == 201, made.text
        rule = made.json()
        assert (rule["version"], rule["query"], rule["enabled"]) == (1, "cpu > 90", True)
        assert (await ada.get(f"{RULES}/{rule['id']}")).json() == rule
        assert (await ada.get(RULES, params={"workspace_id": "lab"})).json()["items"] == [rule]
        changed = await ada.patch(f"{RULES}/{rule['id']}", json={"severity": "low", "version": 1})
        assert (changed.json()["version"], changed.json()["severity"]) == (2, "low")
        stale = await ada.patch(f"{RULES}/{rule['id']}", json={"severity": "high", "version": 1})
        assert stale.status_code == 412
        assert (await ada.delete(f"{RULES}/{rule['id']}")).status_code == 204
        assert (await ada.get(f"{RULES}/{rule['id']}")).status_code == 404
        actions = [entry.action for entry in await node.audited()]
        assert [action for action in actions if action.startswith("alert_rules")] == [
            "alert_rules.create",
            "alert_rules.update",
            "alert_rules.delete",
        ]

    play(tmp_path, scenario)


def test_members_look_and_those_who_manage_change(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_lab(node)
        await node.make_user("stranger")
        rule = await make_rule(node, above(90))
        for user, looks, changes in (("vic", 200, 403), ("eve", 200, 403), ("ada", 200, 200), ("stranger", 404, 404)):
            client = node.client(user)
            assert (await client.get(f"{RULES}/{rule.id}")).status_code == looks
            assert (await client.get(f"{RULES}/{rule.id}/state")).status_code == looks
            assert (await client.post(f"{RULES}/{rule.id}/preview", json={})).status_code == looks
            assert (await client.patch(f"{RULES}/{rule.id}", json={"enabled": True})).status_code == changes
        # The server's own figures are its administrator's, whoever owns the workspace.
        assert (await node.client("ada").post(RULES, json=busy(data_source_id=0))).status_code == 403

    play(tmp_path, scenario)


REFUSED: list[tuple[dict[str, Any], str | None]] = [
    ({"kind": "threshold", "selector": {"metric": "cpu"}}, "a rule needs `op` and `threshold`, or a `condition`"),
    ({"kind": "threshold", "selector": {"metric": "cpu"}, "op": ">"}, "both, `op` and `threshold`"),
    (
        {"kind": "threshold", "selector": {"metric": "cpu"}, "op": ">", "threshold": 1, "resolve_threshold": 2},
        "`resolve_threshold` is at most the threshold, 1, for >",
    ),
    ({"kind": "threshold", "selector": {"metric": "cpu"}, "condition": "value >"}, "the expression is no CEL"),
    ({"kind": "threshold", "selector": {"metric": "cpu"}, "condition": "value"}, None),
    (
        {
            "kind": "threshold",
            "selector": {"metric": "cpu"},
            "condition": "[1].exists(a, [2].exists(b, a < b))",
        },
        "may stand in each other 1 deep at most",
    ),
    (
        {
            "kind": "threshold",
            "selector": {"metric": "cpu", "labels": [{"label": "a", "op": "=~", "value": "("}]},
            "op": ">",
            "threshold": 1,
        },
        "is no regular expression of RE2",
    ),
    ({"kind": "composite", "rules": {"a": 77}, "condition": "a.firing"}, "a is the rule 77"),
    ({"kind": "anomaly", "metric": "cpu", "enter": 3, "leave": 4}, "`leave` is at most `enter`"),
]


def test_what_cannot_be_evaluated_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_lab(node)
        ada = node.client("ada")
        for query, said in REFUSED:
            answer = await ada.post(RULES, json=busy(spec={"query": query}))
            if said is None:
                assert answer.status_code == 201
            else:
                assert answer.status_code == 400
                assert said in answer.json()["detail"]

    play(tmp_path, scenario)


ENDS: list[tuple[dict[str, Any] | None, str]] = [
    ({"enabled": False}, "The rule was disabled."),
    ({"spec": {"query": {"kind": "absence", "metric": "cpu"}}}, "The rule is about something else now."),
    (None, "The rule was deleted."),
]


def test_alerts_of_a_rule_that_ends_are_resolved_and_say_why(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        rules = [await make_rule(node, above(90), name=after) for _, after in ENDS]
        evaluator = Stepped(node)
        await push(node, source, (1, 95), host="a")
        await evaluator.at(1)
        ada = node.client("ada")
        for rule, (change, _) in zip(rules, ENDS, strict=True):
            place = f"{RULES}/{rule.id}"
            answer = await (ada.delete(place) if change is None else ada.patch(place, json=change))
            assert answer.is_success, answer.text
        assert await open_alerts(node) == []
        listed = (await ada.get("/performance/alerts", params={"workspace_id": "lab"})).json()["items"]
        assert all(each["resolved_reason"] == each["name"] for each in listed)
        await evaluator.at(2)
        assert [kind for kind, _ in await events(node)] == ["alert.fired"] * 3 + ["alert.resolved"] * 3

    play(tmp_path, scenario)


def test_another_threshold_judges_open_alerts_anew(tmp_path: Path) -> None:
    """What is bad by it stays the alert it is, the rest is over."""

    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        rule = await make_rule(node, above(90))
        evaluator = Stepped(node)
        await push(node, source, (1, 93), host="a")
        await push(node, source, (1, 99), host="b")
        await evaluator.at(1)
        spec = busy()["spec"]
        spec["query"]["threshold"] = 95
        changed = await node.client("ada").patch(f"{RULES}/{rule.id}", json={"spec": spec, "severity": "critical"})
        assert changed.status_code == 200
        await push(node, source, (2, 93), host="a")
        await push(node, source, (2, 99), host="b")
        await evaluator.at(2)
        (alert,) = await open_alerts(node)
        assert (alert.labels, alert.severity) == ({"host": "b"}, "critical")
        kinds = [kind for kind, _ in await events(node)]
        assert kinds == ["alert.fired", "alert.fired", *["alert.severity_raised"] * 2, "alert.resolved"]

    play(tmp_path, scenario)


def test_a_preview_says_what_the_live_evaluation_said(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        rule = await make_rule(node, above(90, for_seconds=30, keep_firing_for_seconds=20))
        evaluator = Stepped(node)
        for at in range(0, 400, 10):
            await push(node, source, (at, 95 if at % 150 < 70 else 10), host="a")
            await evaluator.at(at)
        ada = node.client("ada")
        saved = (await ada.post(f"{RULES}/{rule.id}/preview", json={"seconds": 600})).json()
        unsaved = (await ada.post(f"{RULES}/preview", json=busy(seconds=600))).json()
        live = await events(node)
        assert [alert["fired_at"] for alert in saved["alerts"]] == [
            f"2026-03-01T09:0{minutes}Z" for minutes in ("0:30", "3:00", "5:30")
        ]
        assert [at for kind, at in live if kind in ("alert.fired", "alert.reopened")] == [30, 180, 330]
        assert [at for kind, at in live if kind == "alert.resolved"] == [90, 240, 390]
        assert saved["firing_seconds"] == 180
        assert (saved["fired"], saved["series"], saved["samples"], saved["is_partial"]) == (3, 1, 40, False)
        assert unsaved["fired"] == 3
        for end, status in (("0001-01-01T00:00:00Z", 400), ("9999-12-31T23:59:59Z", 200)):
            answer = await ada.post(f"{RULES}/{rule.id}/preview", json={"end": end})
            assert answer.status_code == status, answer.text

    play(tmp_path, scenario)


def test_the_state_of_a_rule_is_what_its_series_are_now(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        source = await make_lab(node)
        rule = await make_rule(node, above(90, for_seconds=60))
        evaluator = Stepped(node)
        await push(node, source, (1, 95), host="a")
        await push(node, source, (1, 5), host="b")
        await evaluator.at(2)
        state = (await node.client("vic").get(f"{RULES}/{rule.id}/state")).json()
        assert [(each["labels"], each["value"], each["is_bad"], each["state"]) for each in state["items"]] == [
            ({"host": "a"}, 95, True, "pending"),
            ({"host": "b"}, 5, False, None),
        ]
        assert (state["groups"], state["evaluated_by"], state["error"]) == (2, "node", None)

    play(tmp_path, scenario)


def test_every_template_is_a_rule_that_can_be_made(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_lab(node)
        ada = node.client("ada")
        listed = (await ada.get(f"{RULES}/templates")).json()["items"]
        assert len(listed) == len(TEMPLATES) == len({each["id"] for each in listed})
        for each in listed:
            body = {name: each[name] for name in ("name", "severity", "spec")} | {"workspace_id": "lab"}
            made = await ada.post(RULES, json=body)
            assert made.status_code == 201, made.text
            assert made.json()["query"] == each["query"]
        mysql = (await ada.get(f"{RULES}/templates", params={"kind": "mysql"})).json()["items"]
        assert {each["kinds"][0] for each in mysql} <= {"mysql", "postgresql"}
        assert all("mysql" in each["kinds"] for each in mysql)

    play(tmp_path, scenario)


def test_a_rule_of_another_version_is_shown_with_its_problem_and_can_be_disabled(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await make_lab(node)
        rule = await make_rule(node, above(90))
        async with node.parts.database.write() as connection:
            await connection.execute(update(alert_rules).values(spec='{"query": {"kind": "guess"}}'))
        evaluator = Stepped(node)
        await evaluator.at(1)
        ada, place = node.client("ada"), f"{RULES}/{rule.id}"
        shown = (await ada.get(place)).json()
        assert shown["spec"] is None
        assert "of another version" in shown["problem"]
        assert (await ada.get(f"{place}/state")).status_code == 409
        assert (await ada.patch(place, json={"enabled": False})).status_code == 200
        assert (await ada.patch(place, json={"data_source_id": None})).status_code == 409

    play(tmp_path, scenario)
