"""A batch over TCP or TLS, and the word of the receiver that it read all of it.

Syslog has no acknowledgements: what was written may still be on its way when a connection breaks. So each batch has a
connection of its own. At its end we close our side, and wait for the other to close in answer: over TLS with a
close_notify, as RFC 5425 (4.4) asks of it. A receiver that is killed before it has read everything resets the
connection instead, and the batch is sent again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl

from handlers.event_exports.encryption import BadCertificate, context_for
from handlers.event_exports.shapes import SyslogTarget
from handlers.event_exports.tls_goodbye import Encrypted
from handlers.outgoing import NotAllowed, OutgoingHttp, SendError

_CHUNK_BYTES = 64 * 1024


async def send(outgoing: OutgoingHttp, target: SyslogTarget, messages: bytes, *, seconds: float) -> None:
    """Returns once the receiver has read all of it. Raises NotAllowed, SendError."""
    where = f"The receiver {target.host}:{target.port}"
    check_target(outgoing, target)
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await _connected(outgoing, target)
            try:
                await _exchange(reader, writer, target, messages)
            finally:
                # Nothing waits here that is worth to be waited for.
                writer.transport.abort()
    except TimeoutError:
        raise SendError(f"{where} did not take everything and close the connection within {seconds:g} s.") from None
    except BadCertificate as error:
        raise SendError(f"{error}.") from None
    except ssl.SSLCertVerificationError as error:
        raise SendError(f"{where} has a certificate that does not hold: {error.verify_message}.") from None
    except OSError as error:
        raise SendError(f"{where} did not take everything: {_why(error)}.") from None


def check_target(outgoing: OutgoingHttp, target: SyslogTarget) -> None:
    """What can be said without asking anybody. Raises NotAllowed."""
    if target.transport == "tcp" and not outgoing.policy.may_be_plain(target.host):
        raise NotAllowed("It is not encrypted; use tls, or let the operator set STUDIO_OUTGOING_HOSTS.")
    try:
        address = ipaddress.ip_address(target.host)
    except ValueError:
        return
    outgoing.policy.check_address(target.host, address)


async def _connected(outgoing: OutgoingHttp, target: SyslogTarget) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    failure: OSError = OSError(f"{target.host} has no address")
    for address in await outgoing.addresses(target.host, target.port):
        try:
            return await asyncio.open_connection(address, target.port)
        except OSError as error:
            failure = error
    raise failure


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: SyslogTarget, messages: bytes
) -> None:
    if target.transport == "tls":
        context = await asyncio.to_thread(context_for, target)
        encrypted = Encrypted(context, target.host, reader, writer)
        await encrypted.greet()
        for start in range(0, len(messages), _CHUNK_BYTES):
            await encrypted.send(messages[start : start + _CHUNK_BYTES])
        await _part(encrypted, target)
    else:
        writer.write(messages)
        await writer.drain()
        writer.write_eof()
    # What a receiver of syslog says means nothing; that it ends without an error does.
    while await reader.read(_CHUNK_BYTES):
        continue


async def _part(encrypted: Encrypted, target: SyslogTarget) -> None:
    try:
        await encrypted.say_goodbye()
    except ssl.SSLEOFError:
        if target.requires_close_notify:
            raise OSError(
                "it ended the connection without a close_notify; if it never sends one, as rsyslog with GnuTLS, set "
                "requires_close_notify to false"
            ) from None


def _why(error: OSError) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:300] or "the connection broke"
