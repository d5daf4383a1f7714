"""The whole API under schemathesis: whatever is asked, what is answered is what /openapi.json says.

In the everyday run a few requests of each kind, in the same order every time; `make schema-fuzz` asks for longer, with
another seed each time and with what follows from one answer to the next request.
"""

from __future__ import annotations

import http.server
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_process import ROOT, ServerProcess
from waiting import wait_until

DEADLINE = 60.0
# Over all that is asked; 0 for as little as shows that each operation answers.
FUZZ_SECONDS = int(os.environ.get("SCHEMA_FUZZ_SECONDS", "0"))
# Of the many values at the edges of what the document allows, each of which takes a millisecond or some.
EVERYDAY_SECONDS = 15
SEED = random.SystemRandom().randrange(2**32) if FUZZ_SECONDS else 20260301
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
WORKSPACE = "demo"


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Where integrations send to."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}/hook"
        served.shutdown()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server over what `collab-studio demo` makes. It opens files of the demo alone, and sends to this machine."""
    data = tmp_path / "data"
    data.mkdir()
    shared = ("--source-folders", str(data))
    flags = ("--request-rate", "1000000", "--request-burst", "1000000", "--outgoing-hosts", "127.0.0.1")
    process = ServerProcess(tmp_path, *flags, shared=shared)
    command = [sys.executable, "-m", "server.cli", "demo", *process.shared]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    process.start()
    try:
        yield process
    finally:
        process.kill()


def fill(client: httpx.Client, receiver: str) -> None:
    """One or more of everything that has a number."""

    def make(path: str, **body: Any) -> dict[str, Any]:
        answer = client.post(path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    runs = [make("/scans", source_id=source)["run_id"] for source in (1, 2, 3)]
    wait_for(client, runs)
    runs = [make("/data-sources/2/backups", verify=True)["run_id"], make("/data-sources/2/reports")["run_id"]]
    make("/data-sources/2/reports", kind="scan")
    make("/data-sources/1/discover")
    for dataset in (1, 2, 3):
        assert client.get(f"/analytics/correlations/{dataset}", params={"rows": 200}).is_success
    rule = {"name": "priced", "condition": {"kind": "row_count", "min": 1}}
    make("/scan-rules", source_id=2, dataset="prices", rule=rule)
    make("/catalog/terms", workspace_id=WORKSPACE, name="Price")
    schedule = {"title": "nightly", "job": "source.backup", "arguments": {"source_id": 2}, "cron": "0 3 * * *"}
    make("/schedules", workspace_id=WORKSPACE, **schedule)
    integration = make("/integrations", workspace_id=WORKSPACE, name="hook", kind="webhook", url=receiver)
    make(f"/integrations/{integration['id']}/test")
    make(f"/collaboration/documents/{WORKSPACE}/welcome/versions", name="first")
    make("/api-keys", name="job")
    fill_monitoring(client)
    wait_for(client, runs)


def fill_monitoring(client: httpx.Client) -> None:
    """Something measured that is wrong, with all that can be said of it."""

    def ask(method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = client.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    ask("PATCH", "/performance/collections/2", enabled=True)
    ask("POST", "/performance/sources/1/push-keys", name="agent")
    query = {"kind": "threshold", "selector": {"metric": "load"}, "op": ">", "threshold": 1}
    rule = {"name": "busy", "severity": "high", "data_source_id": 1, "spec": {"query": query}}
    ask("POST", "/performance/alert-rules", workspace_id=WORKSPACE, **rule)
    matchers = [{"label": "severity", "value": "low"}]
    until = "2100-01-01T00:00:00Z"
    ask("POST", "/performance/alert-silences", workspace_id=WORKSPACE, matchers=matchers, comment="late", ends_at=until)
    sides = {"source": matchers, "target": [{"label": "host", "value": "a"}], "equal": ["source"]}
    ask("POST", "/performance/alert-inhibitions", workspace_id=WORKSPACE, **sides)
    route = {"name": "on call", "matchers": matchers, "receivers": [{"kind": "administrators"}]}
    ask("POST", "/performance/alert-routes", workspace_id=WORKSPACE, **route)
    samples = [{"metric": "load", "value": 2, "labels": {"host": host}} for host in ("a", "b")]
    assert ask("POST", "/performance/sources/1/samples", samples=samples)["stored"] == len(samples)

    def fired() -> int:
        found: list[Any] = client.get("/performance/alerts", params={"workspace_id": WORKSPACE}).json()["items"]
        return len(found)

    wait_until(lambda: fired() == len(samples), DEADLINE, lambda: f"{fired()} alerts")


def wait_for(client: httpx.Client, runs: list[str]) -> None:
    def states() -> list[str]:
        return [client.get(f"/runs/{run}").json()["state"] for run in runs]

    wait_until(lambda: set(states()) == {"succeeded"}, DEADLINE, lambda: str(states()))


def ask(server: ServerProcess, token: str, receiver: str, *options: str) -> str:
    """What schemathesis says of all it asked; fails if anything was not as it should be."""
    configuration = server.folder / CONFIGURATION.name
    configuration.write_text(CONFIGURATION.read_text().replace("$RECEIVER", receiver))
    command = [str(Path(sys.executable).with_name("schemathesis")), f"--config-file={configuration}", "run"]
    command += [f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {token}", f"--seed={SEED}", *options]
    support = str(ROOT / "tests" / "support")
    done = subprocess.run(
        command,
        cwd=server.folder,
        env=os.environ | {"PYTHONPATH": support, "COLUMNS": "160"},
        check=False,
        capture_output=True,
        text=True,
        timeout=max(300, 2 * FUZZ_SECONDS),
    )
    print(f"seed {SEED}")
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    return done.stdout


def runs_of_admin() -> list[list[str]]:
    """Something of each operation's, then as many odd values as the time allows; or what `make schema-fuzz` asks."""
    if FUZZ_SECONDS:
        return [["--phases=coverage,fuzzing,stateful", "--max-examples=200", f"--max-time={FUZZ_SECONDS}"]]
    return [["--phases=fuzzing", "--max-examples=1"], ["--phases=coverage", f"--max-time={EVERYDAY_SECONDS}"]]


@pytest.mark.timeout(max(400, 3 * FUZZ_SECONDS))
def test_what_is_answered_is_what_the_document_says(demo: ServerProcess, receiver: str) -> None:
    admin = demo.token("admin", "")
    viewer = demo.token("vera", "viewer", WORKSPACE)
    with httpx.Client(base_url=demo.url, headers={"Authorization": f"Bearer {admin}"}, timeout=30) as client:
        fill(client, receiver)
        operations = sum(len(methods) for methods in client.get("/openapi.json").json()["paths"].values())
        # Whoever may do little first: an administrator also deletes what there is, and deactivates users.
        said = ask(demo, viewer, receiver, "--phases=fuzzing", "--max-examples=1")
        assert f"Tested: {operations}" in said
        for number, options in enumerate(runs_of_admin()):
            said = ask(demo, admin, receiver, *options)
            assert number or f"Tested: {operations}" in said
        # Whoever asked was heard to the end.
        assert client.get("/me").json()["is_admin"] is True
    errors = [line for line in demo.log.read_text().splitlines() if " ERROR " in line]
    assert errors == []
