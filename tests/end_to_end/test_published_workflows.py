"""A real server, people who draw through the client, and versions that are published meanwhile."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collab_studio import Document, Studio, connect
from drawn_workflows import small_diagram
from pycrdt import Doc, Map
from server_process import ServerProcess

DEADLINE = 100.0
STEPS = 15
MOST_PUBLISHED = 10
KEYS = ("expression", "first", "second")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def params_of(doc: Doc[Any]) -> Map[Any]:
    shared: Map[Any] = doc.get("nodes", type=Map)["sum"]["params"]
    return shared


async def draw_on(document: Document, drawer: int) -> None:
    """Each step is one edit of three places."""
    for step in range(STEPS):

        def write(doc: Doc[Any], value: str = f"{drawer} + {step}") -> None:
            with doc.transaction():
                for key in KEYS:
                    params_of(doc)[key] = value

        document.edit(write)
        await document.stored()


async def publish_until(studio: Studio, workflow_id: int, is_over: asyncio.Event) -> None:
    for _ in range(MOST_PUBLISHED):
        if is_over.is_set():
            return
        await studio.call("workflow.definitions.publish", workflow_id=workflow_id)


def test_a_version_is_exactly_one_state_of_what_people_draw(process: ServerProcess) -> None:
    async def scenario(ann: Studio, bob: Studio) -> None:
        made = await ann.call("workflow.definitions.create", workspace_id="default", title="Nightly")
        name, workflow_id = made["document_id"], made["id"]
        place = {"workspace_id": "default", "document_id": name}
        await ann.call("collaboration.content.put", **place, json=small_diagram())
        drawers = [await each.open(f"default/{name}", kind="diagram") for each in (ann, bob)]
        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for studio in (ann, bob):
                group.create_task(publish_until(studio, workflow_id, is_over))
            await asyncio.gather(*[draw_on(document, at) for at, document in enumerate(drawers)])
            is_over.set()
        last = await ann.call("workflow.definitions.publish", workflow_id=workflow_id)
        count = last["version"]["version"]
        assert count > 2, "some were published while people drew"
        numbers = []
        for version in range(1, count + 1):
            found = await ann.call("workflow.versions.get", workflow_id=workflow_id, version=version)
            params = found["form"]["nodes"]["sum"]["params"]
            assert len(set(params.values())) == 1, f"version {version} is of two states: {params}"
            then = await bob.call("collaboration.content.get", **place, at=str(found["number"]))
            assert then["json"]["nodes"]["sum"]["params"] == params
            numbers.append(found["number"])
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == (await ann.call("workflow.definitions.get", workflow_id=workflow_id))["number"]

    async def main() -> None:
        tokens = [process.token(user) for user in ("ann", "bob")]
        url = process.url
        async with (
            asyncio.timeout(DEADLINE),
            connect(url, token=tokens[0]) as ann,
            connect(url, token=tokens[1]) as bob,
        ):
            await scenario(ann, bob)

    asyncio.run(main())
