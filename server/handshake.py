"""The WebSocket opening handshake (RFC 6455, section 4): request bytes in, an answer out."""

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from websockets.utils import accept_key

from server.security_headers import LINES

# Browsers can put a credential only in the URL or in a subprotocol; the latter stays out of access logs.
BEARER_PROTOCOL = "bearer."


class Upgrade(NamedTuple):
    """A request to open a WebSocket. Header names are in lower case; ``path`` is not decoded."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    # The address at the other end of the connection, which may be a proxy's.
    peer: str | None = None

    @property
    def is_websocket(self) -> bool:
        return (
            self.headers.get("upgrade", "").lower() == "websocket"
            and "upgrade" in self.headers.get("connection", "").lower()
        )

    def query_value(self, name: str) -> str | None:
        values = self.query.get(name)
        return values[0] if values else None

    @property
    def segments(self) -> list[str]:
        """The decoded parts of the path between its slashes."""
        return [unquote(segment) for segment in self.path.strip("/").split("/")]

    @property
    def protocols(self) -> list[str]:
        offered = self.headers.get("sec-websocket-protocol", "")
        return [protocol.strip() for protocol in offered.split(",") if protocol.strip()]

    @property
    def credential(self) -> str | None:
        """The token, key or ticket that came along, wherever a client can put one."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and value:
            return value.strip()
        for protocol in self.protocols:
            if protocol.startswith(BEARER_PROTOCOL):
                return protocol.removeprefix(BEARER_PROTOCOL)
        return self.query_value("token") or self.query_value("ticket")


def parse(data: bytes) -> Upgrade:
    """The head of a GET request, up to and with its empty line."""
    head, _, _ = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    target = first.split(" ")[1] if " " in first else "/"
    path, _, query = target.partition("?")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Upgrade(path, parse_qs(query) if query else {}, headers)


def accept(upgrade: Upgrade) -> bytes:
    """The 101 answer. Raises ValueError if this is no proper WebSocket handshake."""
    key = upgrade.headers.get("sec-websocket-key", "")
    if len(key) != 24 or upgrade.headers.get("sec-websocket-version") != "13":
        raise ValueError("not a WebSocket handshake of version 13")
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
    ]
    if protocols := upgrade.protocols:
        plain = [protocol for protocol in protocols if not protocol.startswith(BEARER_PROTOCOL)]
        lines.append(f"Sec-WebSocket-Protocol: {(plain or protocols)[0]}")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


class Refusal(NamedTuple):
    """Why a handshake is not accepted, and after how many seconds another may be, if that is a matter of time."""

    status: HTTPStatus
    message: str
    retry_after: int | None = None


def refusal(why: Refusal) -> bytes:
    """An HTTP answer that ends the attempt."""
    body = (why.message + "\n").encode()
    later = "" if why.retry_after is None else f"Retry-After: {why.retry_after}\r\n"
    head = (
        f"HTTP/1.1 {why.status.value} {why.status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{later}{LINES}Connection: close\r\n\r\n"
    )
    return head.encode() + body
