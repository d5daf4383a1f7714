"""What a document may be called, and how one comes to be when somebody opens it."""

import asyncio
from pathlib import Path

import pytest
from http_node import Node, play

from handlers.access import Role
from handlers.collaboration.naming import check_name, ensure_document, find
from handlers.registry import InvalidRequest, NotFound, Principal

ADA = Principal("ada", is_admin=False, via="token")


@pytest.mark.parametrize("name", ["a", "Meeting notes", "ä̈👩‍👩‍👧", "a.b", "...", "x@y", "<script>", "a" * 200, "%2F"])
def test_a_name_is_what_people_write(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("", "at least one character"),
        ("  ", "at least one character"),
        ("a" * 201, "at most 200 characters, this one has 201"),
        ("a/b", "no '/'"),
        ("a\nb", "control characters"),
        ("a\x7f", "control characters"),
        ("@studio", "the server's own"),
        (".", "mean something else"),
        ("..", "mean something else"),
        (" a ", "'a' would do"),
        ("a\u2003", "'a' would do"),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(InvalidRequest, match=hint) as refusal:
        check_name(name)
    assert refusal.value.code == "bad_document_name"
    assert len(refusal.value.message) < 300


def test_whoever_may_write_makes_a_document_by_opening_it(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        made = await ensure_document(node.parts, ADA, "lab", "notes")
        assert (made.name, made.title, made.kind, made.created_by, made.head) == ("notes", "notes", None, "ada", 0)
        assert await ensure_document(node.parts, ADA, "lab", "notes") == made
        assert [(row.actor, row.action, row.target) for row in await node.audited()] == [
            ("ada", "collaboration.documents.create", "lab/notes")
        ]

    play(tmp_path, scenario)


def test_all_who_open_a_new_document_at_once_get_the_same(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        found = await asyncio.gather(*(ensure_document(node.parts, ADA, "lab", "notes") for _ in range(20)))
        assert len({document.id for document in found}) == 1
        assert len(await node.audited()) == 1

    play(tmp_path, scenario)


def test_a_reader_gets_what_is_there_and_makes_nothing(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.VIEWER, bob=Role.EDITOR)
        with pytest.raises(NotFound, match="no document 'notes'"):
            await ensure_document(node.parts, ADA, "lab", "notes")
        made = await ensure_document(node.parts, Principal("bob", is_admin=False, via="token"), "lab", "notes")
        assert await ensure_document(node.parts, ADA, "lab", "notes") == made

    play(tmp_path, scenario)


def test_a_stranger_learns_nothing_of_a_workspace(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", bob=Role.OWNER)
        with pytest.raises(NotFound, match="no workspace 'lab'"):
            await ensure_document(node.parts, ADA, "lab", "notes")

    play(tmp_path, scenario)


def test_a_bad_name_makes_no_document(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        with pytest.raises(InvalidRequest):
            await ensure_document(node.parts, ADA, "lab", "@studio")

    play(tmp_path, scenario)


def test_a_document_in_the_trash_is_not_opened_nor_made_again(tmp_path: Path) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.EDITOR)
        await ensure_document(node.parts, ADA, "lab", "notes")
        await node.client("ada").delete("/collaboration/documents/lab/notes")
        for attempt in (ensure_document(node.parts, ADA, "lab", "notes"), find(node.parts, "lab", "notes")):
            with pytest.raises(NotFound, match="in the trash, where ada put it; restore it first") as refusal:
                await attempt
            assert refusal.value.code == "in_trash"
        assert (await find(node.parts, "lab", "notes", in_trash=True)).trashed_by == "ada"

    play(tmp_path, scenario)
