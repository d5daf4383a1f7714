"""Which web pages may open a WebSocket here. Browsers put the page's origin on the handshake and do not ask us first.

Allowed are clients that are no browser (no Origin header), pages this server itself served, the origins in the
settings, and, while only this machine can reach the server, pages served on this machine. Everything else is refused,
`null` (a sandboxed frame, a file) among it.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from server.setting_values import normal_origin
from server.settings import Settings

# No honest origin is longer than a host name of 253 characters with scheme and port.
LONGEST_ORIGIN = 300


class OriginPolicy:
    """Answers for one server's settings; has no other state."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url) if settings.public_url else None
        own = normal_origin(f"{public.scheme}://{public.netloc}") if public else None
        self._listed = frozenset(filter(None, (*settings.allowed_origins, own)))
        self._loopback = settings.bound_to_loopback

    def allows(self, origin: str | None, host: str | None) -> bool:
        """Whether a handshake with these `Origin` and `Host` headers may go on (None = the header is absent)."""
        if origin is None:
            return True
        if len(origin) > LONGEST_ORIGIN or (normal := normal_origin(origin)) is None:
            return False
        return normal in self._listed or _same(normal, host) or (self._loopback and _on_loopback(normal))


def _same(origin: str, host: str | None) -> bool:
    """Whether the page came from the host and port that it now connects to.

    The scheme is not compared: behind a proxy that ends TLS it is https outside and http here.
    """
    if not host:
        return False
    scheme = origin.partition("://")[0]
    return normal_origin(f"{scheme}://{host}") == origin


def _on_loopback(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    # RFC 6761: every name below localhost is this machine.
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
