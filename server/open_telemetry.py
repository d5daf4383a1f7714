"""Spans by OpenTelemetry. The only module that imports its packages, and imported only where traces are wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from server.release import PROGRAM, release

TRACES_PATH = "/v1/traces"
# A collector that does not answer must not hold up a server that stops for longer than this.
EXPORT_SECONDS = 2.0
# What a caller sends to have its trace go on here: https://www.w3.org/TR/trace-context/.
PARENT_HEADERS = (b"traceparent", b"tracestate")

Headers = Iterable[tuple[bytes, bytes]]


def sending(endpoint: str | None, ratio: float, node_id: str) -> Tracing:
    """Spans that go to a collector. Without an endpoint the exporter's own environment variables and default hold."""
    if endpoint is not None and not endpoint.endswith(TRACES_PATH):
        endpoint += TRACES_PATH
    return Tracing(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS), ratio, node_id)


class RequestSpan:
    """The span of one request, which gets its name when it is known what was asked for."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def ended(self, operation: str, method: str, status: int, request_id: str) -> None:
        """The request was answered. `method` is "socket" for one that came over a WebSocket."""
        span = self._span
        span.update_name(operation)
        span.set_attribute("http.request.method", method)
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("studio.request_id", request_id)
        if status >= 500:
            span.set_status(StatusCode.ERROR)


class Tracing:
    """The spans of a node. `ratio` of the traces that begin here are kept; those of a caller are kept if it keeps them.

    Names and attributes tell what is done and how much of it, never in which document or by whom. Spans leave in
    batches from a thread, or each `at_once`.
    """

    def __init__(self, exporter: SpanExporter, ratio: float, node_id: str, *, at_once: bool = False) -> None:
        self._exporter = exporter
        own = {"service.name": PROGRAM, "service.version": release(), "service.instance.id": node_id}
        # What the operator says in OpenTelemetry's own variables wins.
        resource = Resource.create(own).merge(OTELResourceDetector().detect())
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(PROGRAM, release())
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str, /, **attributes: int) -> contextlib.AbstractContextManager[object]:
        """A span of the node's own work, below the request that it is done for, if it is done for one."""
        numbers = {f"studio.{key}": value for key, value in attributes.items()}
        return self._tracer.start_as_current_span(name, attributes=numbers)

    @contextlib.contextmanager
    def request(self, headers: Headers = ()) -> Iterator[RequestSpan]:
        """A span of somebody's request; its parent is in the headers, if the caller traces."""
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in PARENT_HEADERS}
        parent = self._propagator.extract(carrier)
        with self._tracer.start_as_current_span("request", parent, SpanKind.SERVER) as span:
            yield RequestSpan(span)

    async def close(self) -> None:
        """Send what waits, as far as the collector takes it soon. No span is begun after this."""
        sending = asyncio.create_task(asyncio.to_thread(self._provider.shutdown))
        done, _ = await asyncio.wait([sending], timeout=EXPORT_SECONDS)
        if not done:
            # Ends what is tried again and again; what is still to come is dropped at once.
            self._exporter.shutdown()
        await sending
