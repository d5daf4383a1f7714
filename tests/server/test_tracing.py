"""Spans: for what is asked and what is done for it, sent where the settings say, and not a byte of it otherwise."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from figures import asgi_client
from hand_transport import HandTransport
from node_in_process import Node, running_node
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pycrdt import Text
from server_process import ServerProcess, free_port

from crdt.lib0 import write_varuint
from handlers import compaction
from handlers.registry import Principal
from server import open_telemetry
from server.hocuspocus import HocuspocusDialect
from server.open_telemetry import Tracing, sending
from server.settings import Settings, read_settings
from server.studio_frames import REQUEST, STUDIO_PREFIX
from server.tracing import find_problems, open_tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ROOT = Path(__file__).resolve().parents[2]
# Hides the packages of the extra, as if they were not installed.
WITHOUT_EXTRA = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""


class Traced:
    """A node whose spans are kept here."""

    def __init__(self, node: Node, exporter: InMemorySpanExporter) -> None:
        self.node = node
        self._exporter = exporter

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        (found,) = (span for span in self.spans if span.name == name)
        return found

    async def get(self, path: str, user: str | None = "ada", **headers: str) -> httpx.Response:
        if user is not None:
            headers["Authorization"] = f"Bearer {self.node.token(user)}"
        async with asgi_client(self.node.studio.app) as client:
            return await client.get(path, headers=headers)


@contextlib.asynccontextmanager
async def traced(folder: Path, ratio: float) -> AsyncIterator[Traced]:
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter, ratio, "node-1", at_once=True)
    async with running_node(folder, tracing=tracing) as node:
        await node.enlist("ada")
        await node.settled()
        exporter.clear()
        yield Traced(node, exporter)


def play(folder: Path, scenario: Callable[[Traced], Awaitable[None]], ratio: float = 1.0) -> None:
    async def run() -> None:
        async with traced(folder, ratio) as node:
            await scenario(node)

    asyncio.run(run())


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_request_is_a_span_that_is_named_for_its_operation(tmp_path: Path) -> None:
    async def scenario(traced: Traced) -> None:
        answer = await traced.get("/me", **{"X-Request-Id": "mine"})
        assert answer.status_code == 200
        span = traced.named("users.me")
        assert (span.kind, span.parent, span.status.status_code) == (SpanKind.SERVER, None, StatusCode.UNSET)
        assert attributes_of(span) == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "studio.request_id": "mine",
        }
        assert span.resource.attributes["service.name"] == "collab-studio"
        assert span.resource.attributes["service.instance.id"] == "node-1"

    play(tmp_path, scenario)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize("is_sampled", [True, False])
def test_a_callers_trace_goes_on_here_as_the_caller_wants(tmp_path: Path, ratio: float, is_sampled: bool) -> None:
    async def scenario(traced: Traced) -> None:
        await traced.get("/me", traceparent=f"00-{TRACE}-{PARENT}-0{int(is_sampled)}")
        spans = [span for span in traced.spans if span.name == "users.me"]
        assert len(spans) == is_sampled
        for span in spans:
            assert span.context is not None
            assert span.parent is not None
            assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)

    play(tmp_path, scenario, ratio)


def test_a_traceparent_that_is_none_begins_a_trace_of_our_own(tmp_path: Path) -> None:
    async def scenario(traced: Traced) -> None:
        await traced.get("/me", traceparent="00-zero-one-two")
        assert traced.named("users.me").parent is None

    play(tmp_path, scenario)


def test_the_ratio_decides_where_no_caller_does(tmp_path: Path) -> None:
    async def scenario(traced: Traced) -> None:
        for _ in range(20):
            await traced.get("/me")
        assert traced.spans == []

    play(tmp_path, scenario, ratio=0.0)


def test_probes_are_no_spans_and_faults_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("of ours")

    async def scenario(traced: Traced) -> None:
        for path in ("/health", "/ready", "/metrics"):
            await traced.get(path)
        assert traced.spans == []
        await traced.get("/nowhere")
        assert traced.named("none").status.status_code is StatusCode.UNSET
        monkeypatch.setattr(traced.node.studio.parts.access, "require", fails)
        assert (await traced.get("/me")).status_code == 500
        assert traced.named("users.me").status.status_code is StatusCode.ERROR

    play(tmp_path, scenario)


def test_what_a_request_makes_the_node_do_lies_below_it(tmp_path: Path) -> None:
    async def scenario(traced: Traced) -> None:
        await traced.node.document("notes")
        answer = await traced.get("/collaboration/documents/default/notes/content")
        assert answer.status_code == 200, answer.text
        (request,) = (span for span in traced.spans if span.kind is SpanKind.SERVER)
        load = traced.named("room.load")
        assert load.parent is not None
        assert request.context is not None
        assert load.parent.span_id == request.context.span_id
        names = {str(value) for span in traced.spans for value in attributes_of(span).values()}
        assert not {"notes", "ada", "default"} & names

    play(tmp_path, scenario)


def test_commits_and_compaction_are_spans_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "COMPACT_AFTER_UPDATES", 1)
    monkeypatch.setattr(compaction, "COMPACT_AT_ONCE_UPDATES", 1)

    async def scenario(traced: Traced) -> None:
        rooms, document = traced.node.rooms, await traced.node.document("notes")
        await rooms.edit(document, "ada", lambda doc: doc.get("content", type=Text).insert(0, "hello"))
        commit = traced.named("log.commit")
        assert (commit.parent, attributes_of(commit)) == (None, {"studio.documents": 1})
        rooms.sweep(time.monotonic())
        await rooms._compaction.idle()
        assert attributes_of(traced.named("room.compact")) == {"studio.updates": 1}

    play(tmp_path, scenario)


def test_a_request_over_a_socket_is_a_span(tmp_path: Path) -> None:
    async def scenario(traced: Traced) -> None:
        gateway = traced.node.studio.gateway
        dialect = HocuspocusDialect(gateway, HandTransport())
        dialect.signed_in(Principal("ada", False, "token"))
        for name in ("users.me", "no.such.operation"):
            body = msgspec.msgpack.encode({"id": 1, "operation": name, "parameters": {}})
            dialect.receive(STUDIO_PREFIX + write_varuint(REQUEST) + body)
        await gateway.idle()
        span = traced.named("users.me")
        assert (span.kind, span.parent) == (SpanKind.SERVER, None)
        assert attributes_of(span)["http.request.method"] == "socket"
        assert attributes_of(span)["http.response.status_code"] == 200
        assert attributes_of(traced.named("none"))["http.response.status_code"] == 404

    play(tmp_path, scenario)


# Sending


class Collector(HTTPServer):
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.taken: list[tuple[str, ExportTraceServiceRequest]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Collector)
        self.server.taken.append((self.path, ExportTraceServiceRequest.FromString(content)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Nobody reads it."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_server_sends_its_spans_to_the_collector_before_it_ends(tmp_path: Path, collector: Collector) -> None:
    process = ServerProcess(tmp_path, "--otlp-endpoint", collector.url, "--tracing-sample-ratio", "1")
    process.start()
    try:
        assert httpx.get(f"{process.url}/me", timeout=10).status_code == 401
        assert process.stop() == 0
    finally:
        process.kill()
    assert {path for path, _ in collector.taken} == {"/v1/traces"}
    resources = [each for _, request in collector.taken for each in request.resource_spans]
    names = {span.name for each in resources for scope in each.scope_spans for span in scope.spans}
    assert "users.me" in names
    named = {each.key: each.value.string_value for each in resources[0].resource.attributes}
    assert (named["service.name"], bool(named["service.instance.id"])) == ("collab-studio", True)


@pytest.mark.parametrize("listens", [True, False])
def test_a_collector_that_does_not_answer_holds_up_nobody(monkeypatch: pytest.MonkeyPatch, listens: bool) -> None:
    monkeypatch.setattr(open_telemetry, "EXPORT_SECONDS", 0.8)
    # Whoever connects to the one that listens waits in its backlog for ever.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if listens else free_port()
        tracing = sending(f"http://127.0.0.1:{port}/v1/traces", 1.0, "node-1")
        # So many batches that trying each for its time would take several times as long.
        for number in range(2_000):
            with tracing.span("something", documents=number):
                assert number < 2_000
        started = time.monotonic()
        asyncio.run(tracing.close())
        assert time.monotonic() - started < 2.4


def test_pages_elsewhere_may_send_their_trace_along(tmp_path: Path) -> None:
    async def run() -> None:
        origin = "https://app.example"
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,traceparent,tracestate,x-request-id",
        }
        async with running_node(tmp_path, allowed_origins=(origin,)) as node, asgi_client(node.studio.app) as client:
            assert (await client.options("/me", headers=headers)).status_code == 200

    asyncio.run(run())


# Settings


@pytest.mark.parametrize(
    ("settings", "on"),
    [({}, False), ({"tracing": "true"}, True), ({"otlp_endpoint": "http://collector:4318"}, True)],
)
def test_either_setting_turns_it_on(settings: dict[str, str], on: bool) -> None:
    reading = read_settings(settings, {})
    assert reading.problems == ()
    assert reading.settings.traces is on
    assert find_problems(reading.settings) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("otlp_endpoint", "collector:4318"),
        ("otlp_endpoint", "http://user:hunter2@collector"),
        ("tracing_sample_ratio", "2"),
        ("tracing_sample_ratio", "-0.1"),
        ("tracing_sample_ratio", "10%"),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: str) -> None:
    (problem,) = read_settings({name: value}, {}).problems
    assert problem.startswith(f"--{name.replace('_', '-')}: ")
    assert "; use " in problem
    assert "hunter2" not in problem


def test_off_by_default() -> None:
    assert open_tracing(Settings(), "node-1") is None


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_the_extra_it_is_one_clear_line(tmp_path: Path) -> None:
    command = WITHOUT_EXTRA + "from server.cli import main\nsys.exit(main(sys.argv[1:], {}))"
    ended = python(command, "serve", "--port", "0", "--data", str(tmp_path / "data"), "--tracing")
    (line,) = ended.stderr.splitlines()
    assert "pip install 'collab-studio[tracing]'" in line
    assert ended.returncode != 0
    checked = python(command, "check", "--port", "0", "--data", str(tmp_path / "data"), "--tracing")
    assert "collab-studio[tracing]" in checked.stdout
    assert "1 problem" in checked.stdout


def test_whoever_does_not_trace_needs_no_extra_and_loads_nothing_for_it() -> None:
    # A library of ours loads parts of OpenTelemetry by itself, where it finds them.
    ours = ("server.open_telemetry", "opentelemetry.sdk.trace", "opentelemetry.exporter")
    loaded = python(f"import server.run, sys; print([name for name in {ours} if name in sys.modules])")
    assert (loaded.stdout.strip(), loaded.stderr) == ("[]", "")
    assert python(WITHOUT_EXTRA + "import server.run").stderr == ""
