"""Full-text search: the same documents are found in both databases, whatever people type."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import documents, search, workspaces
from storage.database import Database
from storage.errors import BrokenReference
from storage.update_log import open_update_log
from storage.words import parse_query
from tests.storage.opened import NOW, append_of, make_documents, with_database

TEXTS = {
    "policy": "The retention policy of customer_email is seven years.",
    "guide": "How to write a policy. Customer data, email and all that.",
    "lineage": "Where data comes from: orders, payments, Kundenstraße, café.",
    "中文": "数据治理的政策与流程。",
}


async def indexed(database: Database) -> dict[str, int]:
    made = await make_documents(database, *TEXTS)
    async with database.write() as connection:
        for document in made:
            await search.index(connection, document.id, "default", document.name, TEXTS[document.name])
    return {document.name: document.id for document in made}


async def found(database: Database, query: str, workspace_id: str = "default") -> list[str]:
    async with database.read() as connection:
        return [hit.name for hit in await search.find(connection, workspace_id, query, limit=50)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("policy", ["policy", "guide"]),
        ("POLICY", ["policy", "guide"]),
        ("pol", ["policy", "guide"]),
        ("pol data", []),
        ("policy data", ["guide"]),
        ("data policy", ["guide"]),
        ("customer", ["guide", "policy"]),
        ("customer_email", ["policy"]),
        ("email customer", ["guide", "policy"]),
        ("seven-years", ["policy"]),
        ("cafe", ["lineage"]),
        ("CAFÉ", ["lineage"]),
        ("kundenstraße", ["lineage"]),
        ("治理", ["中文"]),
        ("理治", []),
        ("政策 治理", ["中文"]),
        ("lineage", ["lineage"]),
        ("lineage orders", ["lineage"]),
        ("lineage-where", []),
        ("nothing", []),
        ("", []),
        ("...", []),
    ],
)
def test_what_is_found(database_url: str, query: str, names: list[str]) -> None:
    async def body(database: Database) -> None:
        await indexed(database)
        # The order of hits that are about as good may differ between the databases.
        assert sorted(await found(database, query)) == sorted(names)

    with_database(database_url, body)


def test_a_hit_in_the_title_is_better(database_url: str) -> None:
    async def body(database: Database) -> None:
        await indexed(database)
        async with database.read() as connection:
            first, second = await search.find(connection, "default", "policy", limit=5)
        assert (first.name, second.name) == ("policy", "guide")
        assert first.rank > second.rank

    with_database(database_url, body)


def test_a_hit_tells_where(database_url: str) -> None:
    async def body(database: Database) -> None:
        ids = await indexed(database)
        async with database.read() as connection:
            (hit,) = await search.find(connection, "default", "café", limit=5)
        assert (hit.document_id, hit.title, hit.kind) == (ids["lineage"], "lineage", None)
        assert hit.snippet == TEXTS["lineage"]
        assert [hit.snippet[start:end] for start, end in hit.highlights] == ["café"]

    with_database(database_url, body)


def test_indexing_again_replaces_and_removing_removes(database_url: str) -> None:
    async def body(database: Database) -> None:
        ids = await indexed(database)
        async with database.write() as connection:
            assert await search.index(connection, ids["guide"], "default", "handbook", "entirely new")
        assert await found(database, "policy") == ["policy"]
        assert await found(database, "handbook new") == ["guide"]
        async with database.write() as connection:
            await search.remove(connection, ids["guide"])
            await search.remove(connection, ids["guide"])
        assert await found(database, "handbook") == []
        async with database.write() as connection:
            assert await search.index(connection, ids["guide"], "default", "guide", "back again")
        assert await found(database, "back") == ["guide"]

    with_database(database_url, body)


def test_a_later_text_is_not_replaced_by_an_earlier_one(database_url: str) -> None:
    async def body(database: Database) -> None:
        ids = await indexed(database)
        async with database.write() as connection:
            assert await search.index(connection, ids["guide"], "default", "guide", "seventh", number=7)
            assert not await search.index(connection, ids["guide"], "default", "guide", "sixth", number=6)
            assert await search.index(connection, ids["guide"], "default", "guide", "seventh once more", number=7)
        assert await found(database, "sixth") == []
        assert await found(database, "once") == ["guide"]

    with_database(database_url, body)


def test_a_new_title_keeps_the_text(database_url: str) -> None:
    async def body(database: Database) -> None:
        ids = await indexed(database)
        (plain,) = await make_documents(database, "plain")
        async with database.write() as connection:
            await search.retitle(connection, ids["guide"], "handbook")
            await search.retitle(connection, plain.id, "never indexed")
        assert await found(database, "handbook policy") == ["guide"]
        assert await found(database, "guide") == []
        assert await found(database, "never") == []

    with_database(database_url, body)


def test_which_documents_are_behind(database_url: str) -> None:
    async def body(database: Database) -> None:
        one, two, three = await make_documents(database, "one", "two", "three")
        await open_update_log(database).append([append_of(one, b"a", b"b"), append_of(two, b"c")])
        async with database.write() as connection:
            await search.index(connection, one.id, "default", "one", "a", number=1)
            await search.index(connection, two.id, "default", "two", "c", number=1)
            assert await search.outdated(connection, limit=9) == [one.id, three.id]
            assert await search.outdated(connection, after=one.id, limit=9) == [three.id]
            assert await search.outdated(connection, limit=1) == [one.id]

    with_database(database_url, body)


def test_only_the_workspaces_own_and_nothing_from_the_trash(database_url: str) -> None:
    async def body(database: Database) -> None:
        ids = await indexed(database)
        async with database.write() as connection:
            await workspaces.create(connection, "other", created_by="ann", at=NOW)
            theirs = await documents.create(connection, "other", "theirs", created_by="ann", at=NOW)
            await search.index(connection, theirs.id, "other", "theirs", "their policy")
            await documents.trash(connection, ids["guide"], by="ann", at=NOW)
        assert await found(database, "policy") == ["policy"]
        assert await found(database, "policy", "other") == ["theirs"]
        async with database.write() as connection:
            await documents.untrash(connection, ids["guide"])
        assert await found(database, "policy") == ["policy", "guide"]

    with_database(database_url, body)


def test_pages_hold_every_hit_once(database_url: str) -> None:
    async def body(database: Database) -> None:
        made = await make_documents(database, *[f"doc{i:02}" for i in range(11)])
        async with database.write() as connection:
            for i, document in enumerate(made):
                # Several have the same rank.
                text = "word " * (1 + i % 3) + "filler " * 20
                await search.index(connection, document.id, "default", document.name, text)
        hits: list[search.Hit] = []
        async with database.read() as connection:
            while page := await search.find(
                connection, "default", "word", after=(hits[-1].rank, hits[-1].document_id) if hits else None, limit=2
            ):
                hits += page
            everything = await search.find(connection, "default", "word", limit=50)
        assert hits == everything
        assert sorted(hit.document_id for hit in hits) == [document.id for document in made]
        assert [hit.rank for hit in hits] == sorted((hit.rank for hit in hits), reverse=True)

    with_database(database_url, body)


def test_indexing_what_is_not_there(database_url: str) -> None:
    async def body(database: Database) -> None:
        with pytest.raises(BrokenReference):
            async with database.write() as connection:
                await search.index(connection, 99, "default", "title", "text")

    with_database(database_url, body)


HOSTILE = [
    '"',
    '""',
    "'",
    "';DROP TABLE documents;--",
    "*",
    "a*b*",
    "^a",
    "a AND",
    "AND OR NOT NEAR",
    "NEAR(a b, 3)",
    "NOT a",
    "title : a",
    "{title text} : a",
    "-title:a",
    "a + b",
    "(a",
    "a)",
    "((((((((((",
    "a | b & !c",
    "a <-> b",
    "a:*",
    "a:ABCD",
    "\\",
    "a\\'b",
    "%_%",
    ":query",
    "$1",
    "?",
    "\x00",
    "a\x00b",
    "\ud800",
    "\U0010ffff",
    "\u202e",
    "🏳️‍🌈",
    "x" * 5000,
    "y " * 5000,
    "数" * 5000,
]


@pytest.mark.parametrize("as_text", [False, True])
def test_hostile_texts_and_queries(database_url: str, as_text: bool) -> None:
    async def body(database: Database) -> None:
        ids = await indexed(database)
        for query in HOSTILE:
            if as_text:
                async with database.write() as connection:
                    await search.index(connection, ids["guide"], "default", query, query)
            hits = await found(database, query)
            if as_text and parse_query(query):
                assert "guide" in hits, query
        assert len(await found(database, "policy")) == (1 if as_text else 2)

    with_database(database_url, body)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=60), min_size=20, max_size=20))
def test_any_text_is_found_by_itself(database_url: str, texts: list[str]) -> None:
    async def body(database: Database) -> None:
        async with database.write() as connection:
            await workspaces.ensure(connection, "default", created_by="ann", at=NOW)
            document, _ = await documents.ensure(connection, "default", "any", created_by="ann", at=NOW)
            for text in texts:
                await search.index(connection, document.id, "default", "t", text)
                hits = await search.find(connection, "default", text, limit=1)
                assert bool(hits) == (parse_query(text) is not None), text

    with_database(database_url, body)


def test_a_large_text_with_many_different_words(database_url: str) -> None:
    async def body(database: Database) -> None:
        ids = await indexed(database)
        different = " ".join(
            chr(0x10000 + i) + chr(0x10000 + i // 100) for i in range(0, 60_000) if chr(0x10000 + i).isalnum()
        )
        same = "word " * 100_000
        unique = " ".join(f"{i:x}" for i in range(100_000))
        for text in (different, same, unique, "治理" * 200_000, "x" * 3_000_000):
            async with database.write() as connection:
                await search.index(connection, ids["guide"], "default", "guide", "begin " + text)
            assert await found(database, "begin") == ["guide"]

    with_database(database_url, body)


def test_snippets() -> None:
    query = parse_query("needle")
    assert query is not None
    pattern = query.pattern()
    hay = "some hay\n" * 100
    snippet, highlights = search.cut_snippet(hay + "the Needle here " + hay, pattern)
    assert snippet.startswith("…")
    assert snippet.endswith("…")
    assert len(snippet) <= 242
    assert "\n" not in snippet
    assert [snippet[start:end] for start, end in highlights] == ["Needle"]
    assert search.cut_snippet("no match", pattern) == ("no match", ())
    assert search.cut_snippet("", pattern) == ("", ())
    assert search.cut_snippet("needle", pattern) == ("needle", ((0, 6),))
    cut_off, marks = search.cut_snippet("needle " * 100, pattern)
    assert all(cut_off[start:end] == "needle" for start, end in marks)
    assert len(marks) == 34
