"""The forms in which others push samples over HTTP: which are taken, and how each wants to be answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from handlers.ingest.otlp_json import OtlpJsonReader
from handlers.ingest.otlp_protobuf import OtlpReader
from handlers.ingest.pushing import Pushed
from handlers.ingest.remote_write import RemoteWriteReader
from handlers.ingest.remote_write_2 import RemoteWrite2Reader
from handlers.ingest.senders import Reader
from handlers.ingest.wire import write_bytes, write_varint
from handlers.registry import OperationError
from server.problems import problem_response
from server.push_bodies import GZIP, IDENTITY, SNAPPY, ZSTD
from server.representation import JSON, UnsupportedMediaType, media_type_of

PROTOBUF = "application/x-protobuf"
WRITTEN = "X-Prometheus-Remote-Write-{}-Written"

# google.rpc.Code, as OTLP's senders know errors; what they do is decided by the HTTP status.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 3, 415: 3, 429: 8, 503: 14}
_UNKNOWN_CODE = 2
_REMOTE_WRITES: dict[str, Callable[[], Reader]] = {
    "": RemoteWriteReader,
    "prometheus.WriteRequest": RemoteWriteReader,
    "io.prometheus.write.v2.Request": RemoteWrite2Reader,
}


@dataclass(frozen=True, slots=True)
class Format:
    """How a body is unpacked and read, and what its sender is told. Headers are added by whoever answers."""

    encodings: tuple[str, ...]
    reader: Callable[[], Reader]
    answer: Callable[[Pushed, str], Response]
    refuse: Callable[[OperationError, str], Response]


def otlp_format(request: Request) -> Format:
    """OTLP/HTTP. Raises UnsupportedMediaType."""
    media_type = media_type_of(request)
    if media_type == PROTOBUF:
        return _OTLP_PROTOBUF
    if media_type == JSON:
        return _OTLP_JSON
    raise UnsupportedMediaType(
        f"OTLP comes as {PROTOBUF} or {JSON}: say which in Content-Type.", details={"given": media_type[:100]}
    )


def remote_write_format(request: Request) -> Format:
    """Remote-write 1.0 or 2.0, by the `proto` of its media type. Raises UnsupportedMediaType."""
    message = _parameter(request.headers.get("content-type", ""), "proto")
    reader = _REMOTE_WRITES.get(message)
    if media_type_of(request) != PROTOBUF or reader is None:
        raise UnsupportedMediaType(
            f"Remote-write comes as {PROTOBUF};proto={' or '.join(filter(None, _REMOTE_WRITES))}.",
            details={"given": request.headers.get("content-type", "")[:100]},
        )
    return Format((SNAPPY,), reader, _written, problem_response)


def _parameter(content_type: str, name: str) -> str:
    """A parameter of a media type, empty if it has none of the name."""
    for part in content_type.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return ""


def _written(pushed: Pushed, request_id: str) -> Response:
    """Nothing, and how much was written; or 400 if something was not: such a request must not come again."""
    if not pushed.refusals.count:
        response = Response(None, HTTPStatus.NO_CONTENT)
    else:
        response = problem_response(NotAllWritten(pushed), request_id)
    for what, count in (("Samples", pushed.stored), ("Histograms", 0), ("Exemplars", 0)):
        response.headers[WRITTEN.format(what)] = str(count)
    return response


class NotAllWritten(OperationError):
    """Some samples of a remote-write were refused; the others are stored."""

    status = 400
    default_code = "samples_refused"

    def __init__(self, pushed: Pushed) -> None:
        super().__init__(
            f"{pushed.stored} samples were stored. Of the others, {pushed.refusals.sentence()}",
            details={"stored": pushed.stored, "refused": pushed.refusals.count},
        )


def _protobuf_answer(pushed: Pushed, request_id: str) -> Response:  # noqa: ARG001
    """An ExportMetricsServiceResponse: partial_success (1) with rejected_data_points (1) and error_message (2)."""
    body = b""
    if pushed.refusals.count:
        partial = write_varint(1, pushed.refusals.count) + write_bytes(2, pushed.refusals.sentence().encode())
        body = write_bytes(1, partial)
    return Response(body, media_type=PROTOBUF)


def _json_answer(pushed: Pushed, request_id: str) -> Response:  # noqa: ARG001
    answer = {}
    if pushed.refusals.count:
        # Numbers of 64 bits are texts in this encoding.
        rejected = str(pushed.refusals.count)
        answer["partialSuccess"] = {"rejectedDataPoints": rejected, "errorMessage": pushed.refusals.sentence()}
    return Response(msgspec.json.encode(answer), media_type=JSON)


def _protobuf_refusal(error: OperationError, request_id: str) -> Response:
    """A google.rpc.Status: code (1) and message (2)."""
    body = write_varint(1, _code_of(error)) + write_bytes(2, error.message.encode())
    return _as_body(problem_response(error, request_id), body, PROTOBUF)


def _json_refusal(error: OperationError, request_id: str) -> Response:
    body = msgspec.json.encode({"code": _code_of(error), "message": error.message})
    return _as_body(problem_response(error, request_id), body, JSON)


def _code_of(error: OperationError) -> int:
    return _CODES.get(error.status, _UNKNOWN_CODE)


def _as_body(problem: Response, body: bytes, media_type: str) -> Response:
    """The problem's status and headers with another body."""
    headers = {name: value for name, value in problem.headers.items() if name not in ("content-length", "content-type")}
    return Response(body, problem.status_code, headers, media_type)


_PACKED = (IDENTITY, GZIP, ZSTD)
_OTLP_PROTOBUF = Format(_PACKED, OtlpReader, _protobuf_answer, _protobuf_refusal)
_OTLP_JSON = Format(_PACKED, OtlpJsonReader, _json_answer, _json_refusal)
