"""Points in a document's history, as people write them."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from editor import open_editor, row_of
from http_node import Node, play

from handlers.access import Role
from handlers.collaboration.points import find_version, resolve
from handlers.document_states import current_number
from handlers.document_versions import version_id_of
from handlers.registry import InvalidRequest, NotFound
from storage import update_log, versions
from storage.documents import Document
from storage.versions import Version


async def written(node: Node) -> tuple[Document, list[datetime]]:
    """A document with three updates, and their times."""
    await node.make_workspace("lab", ada=Role.EDITOR)
    for text in "abc":
        await node.client("ada").put("/collaboration/documents/lab/plan/content", json={"text": text})
    document = await row_of(node.parts, "lab", "plan")
    rows = await update_log.read(node.parts.database, document.id, 0, 9)
    return document, [row.created_at for row in rows]


async def make_version(node: Node, document: Document, number: int) -> Version:
    async with node.parts.database.write() as connection:
        return await versions.create(connection, document.id, number, name="x", created_by="ada", at=node.now())


def test_numbers_times_and_versions(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        document, times = await written(node)
        version = await make_version(node, document, 2)
        cases: list[tuple[str | int, int]] = [
            (0, 0),
            (3, 3),
            ("3", 3),
            ("0003", 3),
            (version_id_of(version), 2),
            (times[1].isoformat(), 2),
            (times[1].isoformat().replace("+00:00", "Z"), 2),
            (times[1].isoformat().replace("+00:00", " 00:00"), 2),  # a plus that was not encoded
            (f"{(times[1] + timedelta(hours=2)).replace(tzinfo=None).isoformat()}+02:00", 2),
            ("1000-01-01T00:00:00Z", 0),
        ]
        for point, number in cases:
            assert await resolve(node.parts, document, point, "at") == number, point

    play(tmp_path, scenario)


@pytest.mark.parametrize("point", [-1, 4, "", " 1", "v", "V1", "v1 ", "now", "2030-01-01", "2030-01-01T00:00:00", "１"])
def test_other_texts_are_refused(tmp_path: Path, point: str | int) -> None:
    async def scenario(node: Node) -> None:
        document, _ = await written(node)
        with pytest.raises(InvalidRequest) as refusal:
            await resolve(node.parts, document, point, "from")
        assert refusal.value.code == "bad_point"
        assert refusal.value.message.startswith("from: ")
        assert (refusal.value.details or {})["parameter"] == "from"

    play(tmp_path, scenario)


def test_a_version_is_one_of_this_document(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        document, _ = await written(node)
        await node.client("ada").put("/collaboration/documents/lab/other/content", json={"text": "x"})
        other = await row_of(node.parts, "lab", "other")
        version = await make_version(node, other, 1)
        assert await find_version(node.parts, other, version_id_of(version)) == version
        for version_id in (version_id_of(version), "v99", "v999999999999999999999", "1", "vx"):
            with pytest.raises(NotFound):
                await find_version(node.parts, document, version_id)
        with pytest.raises(NotFound):
            await resolve(node.parts, document, version_id_of(version), "at")

    play(tmp_path, scenario)


def test_what_was_just_typed_counts_once_it_is_stored(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        document, _ = await written(node)
        editor = await open_editor(node.parts, "eve", "plan")
        editor.type("d")
        assert await current_number(node.parts, document) == 4
        assert await resolve(node.parts, document, 4, "at") == 4

    play(tmp_path, scenario)
