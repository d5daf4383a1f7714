"""A recorded session of two people typing at once, through stock clients of both dialects, over three SIGKILLs.

Everybody who watches must end with exactly the text that the recording ends with, and every character must be
attributed to the one who typed it.
"""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from collab_studio import sync as studio_sync
from javascript import JAVASCRIPT, NODE
from server_process import ROOT, ServerProcess
from waiting import wait_until
from y_py_watcher import YPyWatcher

TRACE = ROOT / "benchmarks" / "traces" / "friendsforever.json.gz"
DOCUMENT = "default/friends"
KILL_AT = (0.25, 0.5, 0.75)
AUTHORS = ("ada", "bob")


class Replay:
    """The two stock clients, in a Node process that reports its progress line by line."""

    def __init__(self, server: ServerProcess, limit: int | None) -> None:
        options = {
            "url": server.socket_url,
            "document": DOCUMENT,
            "tokens": [server.token(author) for author in AUTHORS],
            "trace": str(TRACE),
            "limit": limit,
        }
        self.process = subprocess.Popen(
            [NODE, "replay.mjs", json.dumps(options)],
            cwd=JAVASCRIPT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def messages(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield json.loads(line)

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


def run_with_kills(server: ServerProcess, replay: Replay) -> dict[str, Any]:
    """Kill and restart the server each time the next mark is reached; the last message of the replay."""
    marks = list(KILL_AT)
    for message in replay.messages():
        if message.get("done"):
            assert not marks, f"only {len(KILL_AT) - len(marks)} kills happened"
            return dict(message)
        if marks and message["progress"] >= marks[0]:
            marks.pop(0)
            server.kill()
            server.start()
    raise AssertionError(f"the clients ended early; the server says:\n{server.log.read_text()[-3000:]}")


@pytest.mark.timeout(300)
def test_two_stock_clients_type_through_three_kills(server: ServerProcess) -> None:
    watcher_token = server.token("wes", "viewer")
    create(server)
    replay = Replay(server, None)
    y_py = YPyWatcher(f"{server.socket_url}/yjs/{DOCUMENT}?token={watcher_token}")
    with studio_sync.connect(server.url, token=watcher_token) as studio:
        pycrdt = studio.open(DOCUMENT)
        with y_py:
            done = run_with_kills(server, replay)
            text = done["text"]
            y_py.wait_for(text, timeout=30)
            wait_until(lambda: str(pycrdt.text()) == text, 30, lambda: f"pycrdt ended with {pycrdt.text()}")
    replay.end()
    assert joined(server, watcher_token) == text
    assert blamed(server, watcher_token, text) == written(done)


def create(server: ServerProcess) -> None:
    """A reader cannot: connecting creates a document only for those who may write."""
    workspace, document = DOCUMENT.split("/")
    headers = {"Authorization": f"Bearer {server.token(AUTHORS[0])}"}
    body = {"id": document, "kind": "text"}
    answer = httpx.post(f"{server.url}/collaboration/documents/{workspace}", headers=headers, json=body)
    assert answer.status_code == 201, answer.text


def joined(server: ServerProcess, token: str) -> str:
    """The text that a stock client sees that was not there before."""
    options = json.dumps({"url": server.socket_url, "document": DOCUMENT, "token": token})
    printed = subprocess.run([NODE, "join.mjs", options], cwd=JAVASCRIPT, check=True, capture_output=True, timeout=60)
    return str(json.loads(printed.stdout)["text"])


def blamed(server: ServerProcess, token: str, text: str) -> list[str]:
    """The author of each character, from `/blame`; its spans must cover the text exactly."""
    workspace, document = DOCUMENT.split("/")
    url = f"{server.url}/collaboration/documents/{workspace}/{document}/blame"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    spans = answer.json()["spans"]
    assert "".join(span["text"] for span in spans) == text
    return [span["author"] for span in spans for _ in span["text"]]


def written(done: dict[str, Any]) -> list[str]:
    """The author of each character, from the clients' own documents."""
    names = dict(zip(done["clients"], AUTHORS, strict=True))
    return [names[client] for client, length in done["authorship"] for _ in range(length)]
