"""A server over what `collab-studio demo` makes, and one or more of everything that has a number."""

from __future__ import annotations

import contextlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from server_process import ROOT, ServerProcess
from waiting import wait_until

DEADLINE = 60.0
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


@dataclass(frozen=True)
class FilledDemo:
    """The server, the token of its administrator, and where its integration sends to."""

    server: ServerProcess
    admin: str
    receiver: str

    def client(self, credential: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=30)


@contextlib.contextmanager
def serving_filled_demo(folder: Path) -> Iterator[FilledDemo]:
    with receiving() as receiver, serving_demo(folder) as server:
        filled = FilledDemo(server, server.token("admin", ""), receiver)
        with filled.client(filled.admin) as client:
            fill(client, receiver)
        yield filled


@contextlib.contextmanager
def receiving() -> Iterator[str]:
    """The address of a receiver of what integrations send."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}/hook"
        served.shutdown()


@contextlib.contextmanager
def serving_demo(folder: Path) -> Iterator[ServerProcess]:
    """A server over what `collab-studio demo` makes. It opens files of the demo alone, and sends to this machine."""
    data = folder / "data"
    data.mkdir()
    shared = ("--source-folders", str(data))
    flags = ("--request-rate", "1000000", "--request-burst", "1000000", "--outgoing-hosts", "127.0.0.1")
    process = ServerProcess(folder, *flags, shared=shared)
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
    [audit] = make("/security/scans", workspace_id=WORKSPACE, source_ids=[2])["items"]
    runs.append(audit["run_id"])
    make("/data-sources/1/discover")
    # One after the other, however slow the machine: the first answer is that about the first dataset.
    for dataset in (1, 2, 3):
        wait_until(
            partial(is_answered, client, f"/analytics/correlations/{dataset}?rows=200"),
            DEADLINE,
            lambda: "no answer about a dataset",
        )
    rule = {"name": "priced", "condition": {"kind": "row_count", "min": 1}}
    make("/scan-rules", source_id=2, dataset="prices", rule=rule)
    make("/catalog/terms", workspace_id=WORKSPACE, name="Price")
    kept_back = {"applies_to": {"users": ["a-trainee"]}, "columns": {"names": ["price"]}}
    make("/security/policies", workspace_id=WORKSPACE, name="prices", rights=kept_back)
    required = {"requires": [{"type": "owned"}]}
    make("/security/data-policies", workspace_id=WORKSPACE, name="owners", policy=required)
    excepted = {"checks": "SL-*", "objects": "file *.none", "why": "a demo", "seconds": 86400}
    make("/security/exceptions", workspace_id=WORKSPACE, **excepted)
    schedule = {"title": "nightly", "job": "source.backup", "arguments": {"source_id": 2}, "cron": "0 3 * * *"}
    make("/schedules", workspace_id=WORKSPACE, **schedule)
    integration = make("/integrations", workspace_id=WORKSPACE, name="hook", kind="webhook", url=receiver)
    make(f"/integrations/{integration['id']}/test")
    make(f"/collaboration/documents/{WORKSPACE}/welcome/versions", name="first")
    make("/api-keys", name="job")
    workflow = make("/workflow/designer/workflows", workspace_id=WORKSPACE, title="Nightly")
    diagram = {"meta": {"name": "Nightly"}, "nodes": {"begin": {"type": "start", "type_version": 1}}}
    content = f"/collaboration/documents/{WORKSPACE}/{workflow['document_id']}/content"
    assert client.put(content, json={"json": diagram}).is_success
    make(f"/workflow/designer/workflows/{workflow['id']}/publish")
    fill_runs(client)
    [finding, *_] = client.get("/analytics/results/1/findings").json()["items"]
    verdict = client.put(f"/analytics/datasets/1/verdicts/{finding['fingerprint']}", json={"verdict": "acknowledged"})
    assert verdict.is_success, verdict.text
    fill_monitoring(client)
    wait_for(client, runs)


def fill_runs(client: httpx.Client) -> None:
    """A run of a workflow that asks somebody."""
    asking = client.post("/workflow/designer/workflows", json={"workspace_id": WORKSPACE, "title": "Asking"}).json()
    diagram = {
        "meta": {"name": "Asking"},
        "nodes": {
            "begin": {"type": "start", "type_version": 1},
            "ask": {"type": "approval", "type_version": 1, "params": {"title": "Go on?", "approvers": ["admin"]}},
            "yes": {"type": "end", "type_version": 1},
            "no": {"type": "end", "type_version": 1},
        },
        "edges": {
            "begin:out>ask:in": {"source": "begin", "source_port": "out", "target": "ask", "target_port": "in"},
            "ask:approved>yes:in": {"source": "ask", "source_port": "approved", "target": "yes", "target_port": "in"},
            "ask:rejected>no:in": {"source": "ask", "source_port": "rejected", "target": "no", "target_port": "in"},
        },
    }
    content = f"/collaboration/documents/{WORKSPACE}/{asking['document_id']}/content"
    assert client.put(content, json={"json": diagram}).is_success
    published = client.post(f"/workflow/designer/workflows/{asking['id']}/publish", json={})
    assert published.is_success, published.text
    run = client.post("/workflow/runs", json={"workflow_id": asking["id"]})
    assert run.is_success, run.text

    def asked() -> bool:
        return bool(client.get("/workflow/approvals", params={"workspace_id": WORKSPACE}).json()["items"])

    wait_until(asked, DEADLINE, lambda: client.get(f"/workflow/runs/{run.json()['id']}").text)


def is_answered(client: httpx.Client, path: str) -> bool:
    """Whether the answer is there, and no longer being worked out."""
    answer = client.get(path)
    assert answer.is_success, answer.text
    return answer.json()["result_id"] is not None


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
