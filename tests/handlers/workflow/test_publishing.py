"""Publishing over HTTP: refused while something is wrong, one state a version, none lost."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from drawn_workflows import HERE, draw, drawn_workflow, edge_of, params_of, published, small_diagram, with_workspace
from editor import open_editor
from http_node import Node, play, serving

from handlers.workflow import publishing
from handlers.workflow.checking import violations_of
from handlers.workflow_access import require_workflow
from handlers.workflow_forms import unpacked
from storage import workflow_versions


def test_what_is_wrong_is_said_and_keeps_it_from_being_published(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        diagram = small_diagram("1 +")
        diagram["edges"]["sum:out>gone:in"] = edge_of("sum", "gone")
        workflow = await drawn_workflow(ada, diagram)
        one = f"{HERE}/{workflow['id']}"
        checked = (await ada.post(f"{one}/validate", json={})).json()
        assert (checked["number"], checked["can_be_published"]) == (2, False)
        codes = {violation["code"] for violation in checked["violations"]}
        assert {"edge.dangling", "expression.invalid"} <= codes
        [dangling] = [each for each in checked["violations"] if each["code"] == "edge.dangling"]
        assert dangling["id"] == "edge.dangling@/edges/sum:out>gone:in"
        assert (dangling["severity"], dangling["edge"]) == ("error", "sum:out>gone:in")

        refused = await ada.post(f"{one}/publish", json={})
        assert (refused.status_code, refused.json()["code"]) == (409, "workflow_invalid")
        assert {each["code"] for each in refused.json()["details"]["violations"]} <= codes
        assert (await ada.get(one)).json()["newest_version"] is None

        await draw(ada, workflow, small_diagram())
        checked = (await ada.post(f"{one}/validate", json={})).json()
        assert (checked["can_be_published"], checked["violations"]) == (True, [])
        version = (await published(ada, workflow, message="It runs"))["version"]
        assert version == {
            "workflow_id": workflow["id"],
            "version": 1,
            "number": 3,
            "fingerprint": version["fingerprint"],
            "message": "It runs",
            "nodes": 3,
            "edges": 2,
            "created_by": "ada",
            "created_at": "2026-03-01T09:00:00Z",
        }
        assert (await ada.get(one)).json()["newest_version"] == 1

    play(tmp_path, scenario)


def test_what_does_the_same_is_no_new_version(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        first = await published(ada, workflow, message="first")
        moved = small_diagram()
        moved["nodes"]["sum"]["position"] = {"x": 500, "y": 20}
        await draw(ada, workflow, moved)
        again = await published(node.client("bob"), workflow, message="again")
        assert (first["is_new"], again["is_new"]) == (True, False)
        assert again["version"] == first["version"]
        await draw(ada, workflow, small_diagram("2"))
        assert (await published(ada, workflow))["version"]["version"] == 2
        await draw(ada, workflow, small_diagram())
        assert (await published(ada, workflow))["version"]["version"] == 3

    play(tmp_path, scenario)


def test_what_others_drew_in_the_meantime_is_not_published_unseen(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        seen = (await ada.get(f"{HERE}/{workflow['id']}")).json()["number"]
        await draw(node.client("bob"), workflow, small_diagram("3"))
        refused = await ada.post(f"{HERE}/{workflow['id']}/publish", json={"if_number": seen})
        assert (refused.status_code, refused.json()["code"]) == (409, "number_changed")
        number = refused.json()["details"]["number"]
        assert (await published(ada, workflow, if_number=number))["version"]["number"] == number

    play(tmp_path, scenario)


def test_what_was_drawn_a_moment_ago_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted and not stored yet, when it is looked at what is drawn."""

    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        editor = await open_editor(node.parts, "bob", workflow["document_id"])

        async def meanwhile(*arguments: Any) -> Any:
            found = await require_workflow(*arguments)
            editor.edit(lambda _: params_of(editor, "sum").__setitem__("expression", "8"))
            return found

        monkeypatch.setattr(publishing, "require_workflow", meanwhile)
        version = (await published(ada, workflow))["version"]
        one = (await ada.get(f"{HERE}/{workflow['id']}/versions/{version['version']}")).json()
        assert one["form"]["nodes"]["sum"]["params"] == {"expression": "8"}

    play(tmp_path, scenario)


def test_a_newer_state_is_not_replaced_by_an_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody draws on and publishes between what ada's request read and what it is about to store."""

    async def scenario(node: Node) -> None:
        ada = await with_workspace(node)
        workflow = await drawn_workflow(ada)
        theirs: list[Any] = []

        async def meanwhile(*arguments: Any) -> Any:
            if not theirs:
                theirs.append(None)
                await draw(node.client("bob"), workflow, small_diagram("5"))
                theirs[0] = await published(node.client("bob"), workflow)
            return await violations_of(*arguments)

        monkeypatch.setattr(publishing, "violations_of", meanwhile)
        mine = await published(ada, workflow)
        assert (theirs[0]["is_new"], mine["is_new"]) == (True, False)
        assert mine["version"] == theirs[0]["version"]

    play(tmp_path, scenario)


def test_a_version_is_exactly_one_state_while_people_draw(tmp_path: Path, database_url: str) -> None:
    """Two editors write the same number into three places at once, each with one edit; no version has two numbers."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")

    async def scenario() -> None:
        async with serving(database_url, folder=tmp_path) as node:
            await _publish_while_drawing(node, random.Random(seed))

    asyncio.run(scenario())


async def _publish_while_drawing(node: Node, chance: random.Random) -> None:
    ada = await with_workspace(node)
    workflow = await drawn_workflow(ada)
    document = workflow["document_id"]
    editors = [await open_editor(node.parts, user, document) for user in ("ada", "bob")]
    drawing = True

    async def draw_on(editor_at: int) -> None:
        editor, step = editors[editor_at], 0
        while drawing:
            step += 1
            value = f"{editor_at} + {step}"

            def write(_: object, value: str = value) -> None:
                params = params_of(editor, "sum")
                for key in ("expression", "first", "second"):
                    params[key] = value

            editor.edit(write)
            if chance.random() < 0.5:
                await editor.saved()
            else:
                await asyncio.sleep(0)

    async def publish(user: str) -> list[int]:
        answers = [await published(node.client(user), workflow) for _ in range(6)]
        return [answer["version"]["version"] for answer in answers]

    async with asyncio.TaskGroup() as group:
        drawers = [group.create_task(draw_on(at)) for at in range(len(editors))]
        publishers = [group.create_task(publish(user)) for user in ("ada", "bob")]
        await asyncio.wait(publishers)
        drawing = False
        await asyncio.wait(drawers)
    told = [publisher.result() for publisher in publishers]
    assert all(numbers == sorted(numbers) for numbers in told), "nobody is answered an older one than before"
    await _versions_are_states(node, workflow["id"], document)


async def _versions_are_states(node: Node, workflow_id: int, document: str) -> None:
    ada = node.client("ada")
    async with node.parts.database.read() as connection:
        rows = (await workflow_versions.list_of(connection, workflow_id, limit=100))[::-1]
        forms = [unpacked(await workflow_versions.form_of(connection, row.id) or b"") for row in rows]
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > 1
    numbers = [row.document_number for row in rows]
    assert numbers == sorted(set(numbers)), "the newest version is of the newest state"
    for number, form in zip(numbers, forms, strict=True):
        params = form["nodes"]["sum"]["params"]
        assert len(set(params.values())) == 1, params
        then = (await ada.get(f"/collaboration/documents/lab/{document}/content?at={number}")).json()["json"]
        assert then["nodes"]["sum"]["params"] == params


def test_two_who_publish_at_once_make_two_versions_or_one(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with serving(database_url, folder=tmp_path) as node:
            ada = await with_workspace(node)
            workflow = await drawn_workflow(ada)
            clients = [node.client(user) for user in ("ada", "bob") * 3]
            answers = await asyncio.gather(*[published(client, workflow) for client in clients])
            assert {answer["version"]["version"] for answer in answers} == {1}
            assert sum(answer["is_new"] for answer in answers) == 1

            async def draw_and_publish(number: int) -> int:
                await draw(clients[number], workflow, small_diagram(str(number)))
                version: int = (await published(clients[number], workflow))["version"]["version"]
                return version

            told = await asyncio.gather(*[draw_and_publish(number) for number in range(len(clients))])
            newest = (await ada.get(f"{HERE}/{workflow['id']}")).json()["newest_version"]
            assert max(told) == newest
            async with node.parts.database.read() as connection:
                row = await workflow_versions.newest(connection, workflow["id"])
                assert row is not None
                form = unpacked(await workflow_versions.form_of(connection, row.id) or b"")
            now = (await ada.get(f"/collaboration/documents/lab/{workflow['document_id']}/content")).json()["json"]
            assert form["nodes"]["sum"]["params"] == now["nodes"]["sum"]["params"]

    asyncio.run(scenario())
