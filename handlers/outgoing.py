"""Requests to addresses that users name: never to this machine or the networks around it, unless the operator allows.

A host is resolved, every address it has is checked, and the connection goes to one of those that were: what the name
resolves to a moment later does not matter. Redirects are not followed, and proxies of the environment not asked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

TIMEOUT_SECONDS = 15.0
MAX_ANSWER_BYTES = 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# IPv6 addresses that stand for an IPv4 one, and how far to the left that lies in them.
_EMBEDDED = ((ipaddress.ip_network("64:ff9b::/96"), 0), (ipaddress.ip_network("2002::/16"), 80))


class NotAllowed(Exception):
    """The server does not send there; the message is a sentence that says why."""


class SendError(Exception):
    """Nobody could be reached, or what came back is no answer; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` holds its first bytes, `retry_after` the seconds that the other side asks for."""

    status: int
    body: bytes
    seconds: float
    retry_after: float | None = None
    media_type: str = ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class OutgoingPolicy:
    """Where requests may go: to public addresses over HTTPS, and to the hosts and networks that the operator names."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """`allowed` are host names, addresses and networks. To these HTTP without encryption is allowed as well."""
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for each in allowed:
            try:
                self._networks.append(ipaddress.ip_network(each, strict=False))
            except ValueError:
                self._hosts.add(each.lower().rstrip("."))

    def check_url(self, url: str) -> None:
        """What can be said of an address without asking anybody. Raises NotAllowed."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
            _ = parts.port
        except ValueError as error:
            raise NotAllowed(f"It is not a URL: {error}.") from None
        if parts.scheme not in ("http", "https") or not host:
            raise NotAllowed("It is not a web address; use one such as https://hooks.example.org/studio.")
        if parts.username is not None or parts.password is not None:
            raise NotAllowed("It has a user name or password in it; put a token into the path or query instead.")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise NotAllowed("It has other than visible ASCII characters; percent-encode them.")
        literal = _literal(host)
        if literal is not None:
            self.check_address(host, literal)
        if parts.scheme == "http" and not self._is_named(host, literal):
            raise NotAllowed("It is not encrypted; use https, or let the operator set STUDIO_OUTGOING_HOSTS.")

    def check_address(self, host: str, address: Address) -> None:
        """Raises NotAllowed unless the address may be connected to as that host."""
        if self._is_named(host, address):
            return
        for each in (address, *_within(address)):
            if not each.is_global or each.is_multicast or each.is_unspecified:
                raise NotAllowed(
                    f"{host} is {address}, which is not a public address; only hosts that the operator names in "
                    "STUDIO_OUTGOING_HOSTS may be."
                )

    def may_be_plain(self, host: str) -> bool:
        """Whether what goes there need not be encrypted: the operator named the host."""
        return self._is_named(host, _literal(host))

    def _is_named(self, host: str, address: Address | None) -> bool:
        if host.lower().rstrip(".") in self._hosts:
            return True
        return address is not None and any(address in network for network in self._networks)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _within(address: Address) -> Iterable[Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    for network, shift in _EMBEDDED:
        if address in network:
            yield ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked."""

    def __init__(self, policy: OutgoingPolicy, resolver: Resolve) -> None:
        self._policy = policy
        self._resolve = resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self.addresses(host, port)
        failure: Exception = OSError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Those of the host, each of them checked. Raises NotAllowed, OSError."""
        addresses = await self._resolve(host, port)
        for address in addresses:
            self._policy.check_address(host, ipaddress.ip_address(address.partition("%")[0]))
        return addresses

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class OutgoingHttp:
    """Posts to addresses that users name, and reads from there."""

    def __init__(
        self,
        policy: OutgoingPolicy | None = None,
        *,
        resolver: Resolve = resolve,
        timeout: float = TIMEOUT_SECONDS,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self.policy = policy or OutgoingPolicy()
        self._backend = _CheckedBackend(self.policy, resolver)
        self._timeout = timeout
        self._trust = trust
        self._encryption: ssl.SSLContext | None = None

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Where a host may be connected to by other means than HTTP. Raises NotAllowed, OSError."""
        return await self._backend.addresses(host, port)

    async def post(
        self,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        answer_bytes: int = MAX_ANSWER_BYTES,
        seconds: float | None = None,
    ) -> Answer:
        """The answer to a POST, whatever its status, at most so many bytes of it. Raises NotAllowed, SendError."""
        return await self._send("POST", url, content, headers, answer_bytes, seconds)

    async def get(
        self, url: str, headers: Mapping[str, str], *, answer_bytes: int, seconds: float | None = None
    ) -> Answer:
        """The answer to a GET, as of `post`."""
        return await self._send("GET", url, b"", headers, answer_bytes, seconds)

    async def _send(
        self,
        method: str,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        answer_bytes: int,
        seconds: float | None,
    ) -> Answer:
        self.policy.check_url(url)
        if self._encryption is None:
            # It reads some hundred certificates.
            self._encryption = await asyncio.to_thread(self._trust)
        started, timeout = time.monotonic(), seconds or self._timeout
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(method, url, content, headers, self._encryption, started, answer_bytes)
        except TimeoutError:
            raise SendError(f"There was no answer within {timeout:g} s.") from None
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            OSError,
            ssl.SSLError,
        ) as error:
            raise SendError(_why(error)) from None

    async def _exchange(
        self,
        method: str,
        url: str,
        content: bytes,
        headers: Mapping[str, str],
        encryption: ssl.SSLContext,
        started: float,
        answer_bytes: int,
    ) -> Answer:
        # A connection for each: what was checked for one is not used for another.
        pool = httpcore.AsyncConnectionPool(encryption, max_connections=1, network_backend=self._backend)
        sent = [("Host", _host_of(url)), *headers.items(), ("Connection", "close")]
        async with pool, pool.stream(method, url, headers=sent, content=content) as response:
            body = await _first_bytes(response, answer_bytes)
            wait = _retry_after(response.headers)
            return Answer(response.status, body, time.monotonic() - started, wait, _media_type(response.headers))


async def _first_bytes(response: httpcore.Response, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) >= most:
            break
    return bytes(body[:most])


def _host_of(url: str) -> str:
    return urlsplit(url).netloc


def _retry_after(headers: Sequence[tuple[bytes, bytes]]) -> float | None:
    """Seconds; dates are not read, as few senders of webhooks are answered with one."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.strip().isdigit() and len(value) < 10:
            return float(value)
    return None


def _media_type(headers: Sequence[tuple[bytes, bytes]]) -> str:
    found = next((value for name, value in headers if name.lower() == b"content-type"), b"")
    return found.decode("latin-1").strip().lower()


def _why(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    what = "The host is not known" if isinstance(error, socket.gaierror) else "It could not be sent"
    return f"{what}: {text[:300].rstrip('.')}."
