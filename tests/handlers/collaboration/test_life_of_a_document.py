"""One document from its first word to its end, through all operations of the slice, on both databases."""

from editor import open_editor, row_of
from http_node import Node, play

from handlers.access import Role
from handlers.collaboration.automatic_versions import make_versions
from handlers.collaboration.indexing import index

DOCUMENTS = "/collaboration/documents/lab"
HERE = f"{DOCUMENTS}/plan"


def test_the_life_of_a_document(database_url: str) -> None:
    async def scenario(node: Node) -> None:
        await node.make_workspace("lab", ada=Role.ADMIN, bob=Role.EDITOR)
        ada, bob = node.client("ada"), node.client("bob")
        await ada.post(DOCUMENTS, json={"id": "plan", "title": "The Plan"})
        editor = await open_editor(node.parts, "bob", "plan")
        editor.type("We will begin on Monday.", root="monaco")
        await editor.saved()
        splices = {"splices": [{"position": 17, "delete": 6, "insert": "Tuesday"}], "if_number": 1}
        assert (await ada.patch(f"{HERE}/content", json=splices)).json() == {"number": 2}
        assert editor.text("monaco") == "We will begin on Tuesday."

        row = await row_of(node.parts, "lab", "plan")
        assert (row.kind, row.root) == ("text", "monaco")
        await make_versions(node.parts, [row.id])
        named = (await bob.post(f"{HERE}/versions", json={"name": "Bob's", "at": 1})).json()
        versions = (await bob.get(f"{HERE}/versions")).json()["items"]
        assert [(version["number"], version["automatic"]) for version in versions] == [(1, False), (2, True)]

        diff = (await bob.get(f"{HERE}/diff", params={"from": named["id"]})).json()["text"]
        assert [hunk["text"] for hunk in diff if hunk["op"] != "equal"] == ["Mon", "Tues"]
        spans = (await bob.get(f"{HERE}/blame")).json()["spans"]
        assert [(span["author"], span["text"]) for span in spans] == [
            ("bob", "We will begin on "),
            ("ada", "Tuesday"),
            ("bob", "."),
        ]
        history = (await bob.get(f"{HERE}/history")).json()["items"]
        assert [(change["author"], change["way"]) for change in history] == [("ada", "http"), ("bob", "live")]

        restored = (await bob.post(f"{HERE}/versions/{named['id']}/restore")).json()
        assert restored["number"] == 3
        assert editor.text("monaco") == "We will begin on Monday."
        editor.leave()

        await index(node.parts, [row.id])
        [hit] = (await bob.get("/collaboration/search/lab?q=plan mond")).json()["items"]
        assert hit["document_id"] == "plan"
        recent = (await bob.get(f"{DOCUMENTS}?order=recent&limit=1")).json()
        assert [item["number"] for item in recent["items"]] == [3]

        await bob.delete(HERE)
        assert (await bob.get(f"{DOCUMENTS}?trashed=true")).json()["items"][0]["trashed_by"] == "bob"
        await bob.post(f"{HERE}/restore")
        await bob.delete(HERE)
        assert (await ada.delete(f"{HERE}?permanent=true")).status_code == 204
        assert (await ada.get(HERE)).status_code == 404
        assert (await bob.get("/collaboration/search/lab?q=plan")).json()["items"] == []

    play(database_url, scenario)
