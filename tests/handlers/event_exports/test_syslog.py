"""Messages as RFC 5424 wants them, and what counts as their arrival."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from receivers import LOCAL
from syslog_receiver import read_message

from handlers import ocsf
from handlers.event_exports import syslog, syslog_sending
from handlers.event_exports.encryption import context_for
from handlers.event_exports.shapes import Item, SyslogTarget
from handlers.outgoing import OutgoingHttp, OutgoingPolicy, SendError
from tests.storage.bus.encryption import encryption_in

SIZE = 3_000_000
AT = datetime(2026, 3, 1, 9, 0, 0, 7, tzinfo=timezone(timedelta(hours=2)))


def item(stream: str = "audit", text: str = "", severity: int = ocsf.CRITICAL) -> Item:
    event = ocsf.event(6003, 1, severity, AT) | {"message": text}
    return Item("audit", stream, 7, "a" * 64, "b" * 64, AT, event)


@pytest.mark.parametrize("text", ["plain", "é ∞ 😀", "two\nlines\r\n\x00", '"]\\'])
def test_a_message_is_read_back_whatever_it_says(text: str) -> None:
    written = syslog.written(item(text=text), "studio.example.org")
    assert written.isascii()
    assert b"\n" not in written
    message = read_message(written.decode())
    assert message.event["message"] == text
    assert message.priority == 13 * 8 + 2
    assert datetime.fromisoformat(message.time) == AT.astimezone(UTC)
    assert message.data == {"stream": "audit", "number": "7", "mark": "a" * 64, "previous": "b" * 64}


def test_values_of_structured_data_cannot_break_out() -> None:
    stream = 'x" ][evil@1 a="\\'
    assert read_message(syslog.written(item(stream), "host").decode()).data["stream"] == stream


@pytest.mark.parametrize(("host", "shown"), [("", "-"), ("a b\nc", "abc"), ("é", "-"), ("h" * 300, "h" * 255)])
def test_a_host_is_one_that_headers_can_hold(host: str, shown: str) -> None:
    assert read_message(syslog.written(item(), host).decode()).host == shown


def test_the_frame_counts_octets() -> None:
    framed = syslog.framed(item(), "host")
    length, _, message = framed.partition(b" ")
    assert int(length) == len(message)


def _outgoing() -> OutgoingHttp:
    async def resolve(host: str, port: int) -> list[str]:
        return [LOCAL]

    return OutgoingHttp(OutgoingPolicy([LOCAL, "localhost"]), resolver=resolve)


async def _served(folder: Path, *, ends_well: bool, encrypts: bool, reads: bool = True) -> None:
    """Sends to a receiver that reads everything or nothing, and ends the connection well or just cuts it."""
    encryption, certificate = encryption_in(folder)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reads:
            await reader.readexactly(SIZE)
        if ends_well:
            # The end of what comes; over TLS it is answered as it should be.
            await reader.read()
            writer.close()
        else:
            writer.transport.abort()

    server = await asyncio.start_server(connected, LOCAL, 0, ssl=encryption if encrypts else None)
    target = SyslogTarget(
        host="localhost",
        port=server.sockets[0].getsockname()[1],
        transport="tls" if encrypts else "tcp",
        ca_certificate=certificate.read_text(),
    )
    try:
        await syslog_sending.send(_outgoing(), target, b"x" * SIZE, seconds=10)
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("encrypts", [True, False])
def test_it_has_arrived_when_the_receiver_closes_in_answer(tmp_path: Path, *, encrypts: bool) -> None:
    asyncio.run(_served(tmp_path, ends_well=True, encrypts=encrypts))


@pytest.mark.parametrize("required", [True, False])
def test_over_tls_a_connection_that_is_merely_ended_is_no_answer(tmp_path: Path, *, required: bool) -> None:
    """Anybody on the way can end a connection; only the receiver can say so in it. Some never do."""
    encryption, certificate = encryption_in(tmp_path)

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, encryption.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as encrypted:
            left = SIZE
            while left:
                left -= len(encrypted.recv(65536))
            with socket.socket(fileno=encrypted.detach()) as plain:
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(65536):
                    continue

    async def scenario(listener: socket.socket) -> None:
        serving = asyncio.create_task(asyncio.to_thread(serve, listener))
        target = SyslogTarget(
            host="localhost",
            port=listener.getsockname()[1],
            ca_certificate=certificate.read_text(),
            requires_close_notify=required,
        )
        says = pytest.raises(SendError, match="without a close_notify; if it never sends one")
        with says if required else contextlib.nullcontext():
            await syslog_sending.send(_outgoing(), target, b"x" * SIZE, seconds=10)
        await serving

    with socket.create_server((LOCAL, 0)) as listener:
        asyncio.run(scenario(listener))


@pytest.mark.parametrize("encrypts", [True, False])
def test_what_was_left_unread_has_not_arrived(tmp_path: Path, *, encrypts: bool) -> None:
    with pytest.raises(SendError, match="did not take everything"):
        asyncio.run(_served(tmp_path, ends_well=False, encrypts=encrypts, reads=False))


def test_the_oldest_protocol_is_not_spoken() -> None:
    context = context_for(SyslogTarget(host="localhost"))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
