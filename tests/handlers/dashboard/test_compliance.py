"""Rules of compliance over both databases: whom they judge, who fails, and what the score leaves out."""

from datetime import timedelta
from typing import Any

from governed import Read, discover, make_source, scan, table
from http_node import START, Node, play

from connectors.datasets import Kind
from handlers.access import Role
from handlers.backups import copying
from handlers.dashboard import compliance
from storage import backups, catalog, catalog_labels, data_policies, documents
from storage.data_policies import Evaluation, Verdict
from storage.tables import document_texts


async def describe(node: Node, dataset_id: int, text: str) -> None:
    """What the description's document says, as the index of texts holds it."""
    async with node.parts.database.write() as connection:
        made = await documents.create(connection, "lab", f"catalog-{dataset_id}", created_by="ada", at=node.clock)
        values = {"document_id": made.id, "workspace_id": "lab", "number": 1, "title": "", "text": text}
        await connection.execute(document_texts.insert(), values)


async def look(node: Node, **parameters: Any) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    answer = await node.client("ada").get("/dashboard/compliance", params={"workspace_id": "lab", **parameters})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told, {rule["rule"]: rule for rule in told["rules"]}


def counts(rule: dict[str, Any]) -> tuple[int, int, int, int, list[str]]:
    return rule["judged"], rule["passed"], rule["failed"], rule["unknown"], [one["name"] for one in rule["failing"]]


def test_nothing_to_judge_has_no_score(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        told, rules = await look(node)
        assert (told["score"], told["coverage"], told["datasets"]) == (None, None, 0)
        assert all(counts(rule) == (0, 0, 0, 0, []) for rule in rules.values())

    play(database_url, scenario)


def test_each_rule_has_its_evidence(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        shop, old = await make_source(node, "shop"), await make_source(node, "old")
        names = ("a", "b", "c", "d", "e")
        ids = await discover(node, shop, *(table(name, "mail", "card") for name in names))
        mail, card = ("mail", "PII", "email"), ("card", "financial", "credit_card")
        await scan(node, old, Read("a"), at=START - timedelta(days=8))
        await scan(
            node,
            shop,
            Read("a", sensitive=[mail, card], rules=[("pass", "high"), ("fail", "low")]),
            Read("b", sensitive=[mail, ("card", "PHI", "patient")], rules=[("fail", "critical")]),
            Read("c", sensitive=[mail], rules=[("not_evaluated", "high")]),
            Read("d", sensitive=[card]),
        )
        async with node.parts.database.write() as connection:
            await catalog_labels.set_labels(connection, ids["a"], "owner", ["ada"])
            await catalog_labels.set_labels(connection, ids["c"], "owner", ["bob"], column="mail")
            await catalog.set_sensitivity(connection, ids["a"], "personal", column="mail")
            await catalog.set_sensitivity(connection, ids["b"], "personal", column="mail")
            await catalog.set_sensitivity(connection, ids["c"], "personal")
        await describe(node, ids["a"], "Who buys")
        await describe(node, ids["b"], "  ")
        told, rules = await look(node, scanned_within_days=7)
        assert counts(rules["personal_data_has_owner"]) == (3, 1, 2, 1, ["main.b", "main.c"])
        assert counts(rules["personal_data_is_described"]) == (3, 1, 2, 1, ["main.b", "main.c"])
        assert counts(rules["personal_data_is_labelled"]) == (3, 2, 1, 1, ["main.b"])
        assert counts(rules["no_grave_rule_fails"]) == (2, 1, 1, 3, ["main.b"])
        assert counts(rules["sources_are_scanned"]) == (2, 1, 1, 0, ["old"])
        assert counts(rules["databases_are_backed_up"]) == (2, 0, 2, 0, ["shop", "old"])
        assert rules["personal_data_has_owner"]["failing"][0]["id"] == ids["b"]
        assert (told["datasets"], told["classified_datasets"], told["coverage"]) == (5, 4, 0.8)
        assert told["score"] == round(6 / 15, 4)
        _, later = await look(node, scanned_within_days=8)
        assert counts(later["sources_are_scanned"]) == (2, 2, 0, 0, [])

    play(database_url, scenario)


def test_only_the_first_failing_are_named(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        for number in range(60):
            await make_source(node, f"s{number:02d}")
        _, rules = await look(node)
        judged, passed, failed, _, failing = counts(rules["sources_are_scanned"])
        assert (judged, passed, failed) == (60, 0, 60)
        assert failing == [f"s{number:02d}" for number in range(50)]

    play(database_url, scenario)


async def back_up(node: Node, source_id: int, days: int, verification: str | None = '{"ok": true}') -> None:
    """A backup that succeeded so many days ago, and how it was verified."""
    at = node.clock - timedelta(days=days)
    async with node.parts.database.write() as connection:
        run_id = f"backup-{source_id}-{days}"
        made = await backups.ensure(
            connection, workspace_id="lab", source_id=source_id, run_id=run_id, created_by="ada", at=at
        )
        await backups.end(connection, made.id, "succeeded", at=at)
        if verification is not None:
            await backups.note_verification(connection, made.id, verification, at=at)


def test_databases_are_backed_up_and_the_backup_was_verified(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        kinds = ("postgresql", "sqlite", "duckdb", "sqlite", "sqlite", "mysql", "files")
        names = ("good", "old", "none", "unverified", "damaged", "other", "folder")
        ids = {name: await make_source(node, name, kind=kind) for name, kind in zip(names, kinds, strict=True)}
        await back_up(node, ids["good"], 6)
        await back_up(node, ids["good"], 1, None)
        await back_up(node, ids["old"], 8)
        await back_up(node, ids["unverified"], 1, None)
        await back_up(node, ids["damaged"], 1, '{"ok": false}')
        await back_up(node, ids["other"], 1)
        _, rules = await look(node)
        failing = ["old", "none", "unverified", "damaged"]
        assert counts(rules["databases_are_backed_up"]) == (5, 1, 4, 1, failing)
        _, later = await look(node, backed_up_within_days=8)
        assert counts(later["databases_are_backed_up"]) == (5, 2, 3, 1, failing[1:])
        assert later["databases_are_backed_up"]["subject"] == "data_source"

    play(database_url, scenario)


def test_the_databases_that_can_be_backed_up_are_those_that_backups_know_of() -> None:
    assert set(copying.SUFFIXES) - {Kind.FILES} == compliance.BACKED_UP
    assert set(Kind) - {Kind.FILES, Kind.METRICS} == compliance.DATABASES


def test_more_fail_than_are_named(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        shop = await make_source(node, "shop")
        names = [f"t{number:03}" for number in range(120)]
        ids = await discover(node, shop, *(table(name, "mail") for name in names))
        await scan(node, shop, *(Read(name, sensitive=[("mail", "PII", "email")]) for name in names))
        async with node.parts.database.write() as connection:
            for name in names[::3]:
                await catalog_labels.set_labels(connection, ids[name], "owner", ["ada"])
            for name in names[::2]:
                await catalog.set_sensitivity(connection, ids[name], "personal")
        _, rules = await look(node)
        ownerless = sorted((ids[name], f"main.{name}") for name in names if name not in names[::3])
        owner = rules["personal_data_has_owner"]
        assert (owner["judged"], owner["passed"], owner["failed"]) == (120, 40, 80)
        # They come from several groups, and are the first of all.
        assert [(one["id"], one["name"]) for one in owner["failing"]] == ownerless[:50]

    play(database_url, scenario)


def test_data_policies_are_rules_and_what_cannot_be_told_is_not_judged(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        source = await make_source(node, "shop")
        ids = await discover(node, source, *(table(name, "mail") for name in ("a", "b", "c", "d")))
        values = {"severity": "high", "body": '{"requires": [{"type": "owned"}]}'}
        async with node.parts.database.write() as connection:
            made = [
                await data_policies.create(
                    connection, "lab", values | {"name": name, "enabled": enabled}, by="ada", at=node.clock
                )
                for name, enabled in (("on", True), ("off", False))
            ]
            for policy in made:
                verdicts = [
                    Verdict(ids[name], f"main.{name}", "mail", "owned", outcome, "because")
                    for name, outcome in (
                        ("a", "pass"),
                        ("a", "fail"),
                        ("b", "pass"),
                        ("c", "not_evaluated"),
                        ("d", "pass"),
                    )
                ]
                evaluation = Evaluation(policy.id, source, node.clock, "fail", None, 2, 1, 1, 0)
                await data_policies.put_evaluation(connection, evaluation, verdicts)
        _, rules = await look(node)
        assert counts(rules[f"data_policy:{made[0].id}"]) == (3, 2, 1, 1, ["main.a"])
        assert rules[f"data_policy:{made[0].id}"]["statement"] == "on"
        assert f"data_policy:{made[1].id}" not in rules

    play(database_url, scenario)
