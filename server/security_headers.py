"""What every answer tells a browser: that it is nobody else's to show, guess at, embed or keep.

An answer that says something else of the same kind, as a page with a style of its own, is left as it is.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.page_policy import NOT_FRAMED, NOTHING
from server.settings import Settings

# Two years, as browsers ask of those who want to be known beforehand.
STRICT_TRANSPORT = "max-age=63072000"
HEADERS = {
    # Bytes of documents must not be taken for pages, and data not for scripts.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": f"{NOTHING}; {NOT_FRAMED}",
    # Addresses name workspaces and documents, and may hold a ticket.
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Pages of allowed origins ask by CORS, of which this says nothing.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# The same as lines, for answers that are written where there is no application.
LINES = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())


class SecurityHeaders:
    """The application, with these headers on each of its answers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = dict(HEADERS)
        if (settings.public_url or "").startswith("https:"):
            self._headers["Strict-Transport-Security"] = STRICT_TRANSPORT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
