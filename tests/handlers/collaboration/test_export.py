"""The job that writes a workspace's documents as files."""

import asyncio
import hashlib
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from http_node import Node, executing
from run_nodes import run_when

from handlers.access import Role
from handlers.collaboration.export import JOBS
from storage import runs
from storage.runs import Run

DOCUMENTS = "/collaboration/documents/lab"
PARAGRAPH = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}


def exporting(url: str, folder: Path, scenario: Callable[[Node, Any], Awaitable[None]]) -> None:
    async def run() -> None:
        async with executing(url, jobs=JOBS, folder=folder) as node:
            await node.make_workspace("lab", ada=Role.EDITOR)
            await scenario(node, node.client("ada"))

    asyncio.run(run())


async def make(ada: Any, name: str, kind: str, **content: Any) -> None:
    assert (await ada.post(DOCUMENTS, json={"id": name, "kind": kind})).status_code == 201
    if content:
        assert (await ada.put(f"{DOCUMENTS}/{name}/content", json=content)).status_code == 200


async def export(node: Node, ada: Any, **arguments: Any) -> Run:
    started = await ada.post("/runs", json={"workspace_id": "lab", "job": "workspace.export", "arguments": arguments})
    assert started.status_code == 202, started.text
    return await run_when(node.parts.database, started.json()["id"])


def test_each_document_is_a_file_in_its_own_form(engine_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node, ada: Any) -> None:
        await make(ada, "notes", "text", text="Grüße 🎉")
        await make(ada, "page", "richtext", json=PARAGRAPH)
        await make(ada, "Zürich & co", "map", json={"a": [1, None]})
        await make(ada, "empty", "text")
        await make(ada, "gone", "text", text="thrown away")
        await ada.delete(f"{DOCUMENTS}/gone")
        run = await export(node, ada)
        assert run.state == runs.SUCCEEDED, run.error_message
        assert (run.done, run.total) == (4, 4)
        result = json.loads(run.result or "")
        folder = tmp_path / result["folder"]
        assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0, "others on this machine may not read it"
        manifest = json.loads((folder / "manifest.json").read_text())
        files = {file["document"]: file for file in manifest["files"]}
        assert sorted(files) == ["Zürich & co", "empty", "notes", "page"]
        assert {path.name for path in folder.iterdir()} == {file["file"] for file in files.values()} | {"manifest.json"}
        assert (folder / files["notes"]["file"]).read_text() == "Grüße 🎉"
        assert json.loads((folder / files["page"]["file"]).read_text()) == PARAGRAPH
        assert json.loads((folder / files["Zürich & co"]["file"]).read_text()) == {"a": [1, None]}
        assert files["Zürich & co"]["file"].startswith("Zrich-co-")
        for file in files.values():
            data = (folder / file["file"]).read_bytes()
            assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert (result["files"], result["failed"]) == (4, [])

    exporting(engine_url, tmp_path, scenario)


def test_only_what_is_asked_for_and_nothing_of_others(engine_url: str, tmp_path: Path) -> None:
    async def scenario(node: Node, ada: Any) -> None:
        await node.make_workspace("other", ada=Role.EDITOR)
        for name in ("plan-a", "plan-b", "notes"):
            await make(ada, name, "text", text=name)
        run = await export(node, ada, prefix="plan-")
        folder = tmp_path / json.loads(run.result or "")["folder"]
        assert sorted(path.name.rpartition("-")[0] for path in folder.glob("*.txt")) == ["plan-a", "plan-b"]
        again = await export(node, ada, prefix="plan-")
        assert json.loads(again.result or "")["folder"] != json.loads(run.result or "")["folder"]

    exporting(engine_url, tmp_path, scenario)
