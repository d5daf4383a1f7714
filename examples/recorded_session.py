"""A real session of two people typing at once, through a server that is killed with SIGKILL three times on the way.

Run it from a checkout, after `make install`: `.venv/bin/python examples/recorded_session.py`. It starts a server of its
own, replays the 26,078 recorded transactions through two stock JavaScript clients (ada with y-websocket, bob with the
Hocuspocus provider), watches with the Python client, and at the end lets a newcomer join. All must read the text that
the recording ends with.
"""

import argparse
import contextlib
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / folder) for folder in ("clients/python", "tests/support")]

from collab_studio import sync as studio_sync  # noqa: E402
from javascript import JAVASCRIPT, NODE  # noqa: E402
from server_process import ServerProcess  # noqa: E402

TRACE = ROOT / "benchmarks" / "traces" / "friendsforever.json.gz"
WORKSPACE, NAME = "default", "friends"
DOCUMENT = f"{WORKSPACE}/{NAME}"
AUTHORS = ("ada", "bob")
KILL_AT = (0.25, 0.5, 0.75)
REPORT_EVERY = 0.1
SETTLE_SECONDS = 30.0


def main(limit: int | None) -> bool:
    """Whether everybody ended with the same text."""
    install_clients()
    with tempfile.TemporaryDirectory() as folder, running(ServerProcess(Path(folder))) as server:
        print(f"server at {server.url}, its data in {folder}", flush=True)
        create(server)
        watcher_token = server.token("wes", "viewer")
        with studio_sync.connect(server.url, token=watcher_token) as studio, replaying(server, limit) as replay:
            watched = studio.open(DOCUMENT, kind="text")
            text = follow(server, replay, watched)
            wait_for(watched, text)
            seen = {
                "ada and bob": text,
                "watching in Python": str(watched.text()),
                "joined afterwards": joined(server, watcher_token),
            }
            are_equal = report_texts(seen, expected=text if limit else recorded_text())
            report_authors(studio.call("collaboration.blame.get", workspace_id=WORKSPACE, document_id=NAME))
    return are_equal


def install_clients() -> None:
    """The stock clients from npm, as the tests use them; nothing to do if they were installed before."""
    if not (JAVASCRIPT / "node_modules").exists():
        print("installing the JavaScript clients", flush=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=JAVASCRIPT, env={**os.environ, "PATH": path}, check=True)


@contextlib.contextmanager
def running(server: ServerProcess) -> Iterator[ServerProcess]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


def create(server: ServerProcess) -> None:
    """Opening a document makes it, but only for those who may write; who watches may not."""
    with studio_sync.connect(server.url, token=server.token(AUTHORS[0])) as studio:
        studio.open(DOCUMENT, kind="text")


@contextlib.contextmanager
def replaying(server: ServerProcess, limit: int | None) -> Iterator[Iterator[dict[str, Any]]]:
    """The two people, as a Node process that tells its progress."""
    options = {
        "url": server.socket_url,
        "document": DOCUMENT,
        "tokens": [server.token(author) for author in AUTHORS],
        "trace": str(TRACE),
        "limit": limit,
    }
    command = [NODE, "replay.mjs", json.dumps(options)]
    with subprocess.Popen(command, cwd=JAVASCRIPT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
        finally:
            process.kill()


def follow(server: ServerProcess, replay: Iterator[dict[str, Any]], watched: studio_sync.Document) -> str:
    """Tell the progress, kill the server at the marks and start it again; the text that both people end with."""
    kills, next_report = list(KILL_AT), REPORT_EVERY
    for message in replay:
        if message.get("done"):
            return str(message["text"])
        progress = message["progress"]
        if kills and progress >= kills[0]:
            kills.pop(0)
            kill_and_restart(server, progress)
        if progress >= next_report:
            next_report += REPORT_EVERY
            print(f"{progress:4.0%} typed, {len(watched.text()):,} characters seen from Python", flush=True)
    sys.exit(f"the JavaScript clients ended early; the server says:\n{server.log.read_text()[-3000:]}")


def kill_and_restart(server: ServerProcess, progress: float) -> None:
    server.kill()
    began = time.monotonic()
    server.start()
    print(f"{progress:4.0%} SIGKILL; the server is back after {time.monotonic() - began:.1f} s", flush=True)


def wait_for(watched: studio_sync.Document, text: str) -> None:
    """The last words may still be on their way. What has not come in time shows in the report."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while str(watched.text()) != text and time.monotonic() < deadline:
        time.sleep(0.05)


def joined(server: ServerProcess, token: str) -> str:
    """The text that a stock client reads that was not there before."""
    options = json.dumps({"url": server.socket_url, "document": DOCUMENT, "token": token})
    printed = subprocess.run([NODE, "join.mjs", options], cwd=JAVASCRIPT, check=True, stdout=subprocess.PIPE)
    return str(json.loads(printed.stdout)["text"])


def recorded_text() -> str:
    return str(json.loads(gzip.decompress(TRACE.read_bytes()))["endContent"])


def report_texts(seen: dict[str, str], expected: str) -> bool:
    for who, text in seen.items():
        print(f"{who:>18}: {len(text):,} characters, {'as expected' if text == expected else 'NOT AS EXPECTED'}")
    are_equal = all(text == expected for text in seen.values())
    print("all texts are equal" if are_equal else "THE TEXTS DIFFER")
    return are_equal


def report_authors(blame: dict[str, Any]) -> None:
    """The share of the characters that each author wrote, as the server attributes them."""
    written: Counter[str] = Counter()
    for span in blame["spans"]:
        written[span["author"]] += len(span["text"])
    for author, count in written.most_common():
        print(f"{author:>18}: wrote {count:,} of the characters, {count / written.total():.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Two people type through a server that is killed three times.")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N recorded transactions")
    sys.exit(0 if main(parser.parse_args().limit) else 1)
