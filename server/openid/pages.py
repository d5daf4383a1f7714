"""The page that somebody sees whose sign-in did not come about. It holds nothing of what was sent here."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from server.openid.failures import Told
from server.problems import REQUEST_ID_HEADER, request_id_of

_WORDS = {
    Told.START_AGAIN: "The sign-in took too long, or was not begun in this browser. Go back and sign in again.",
    Told.NOT_ADMITTED: "You are known there, but may not come in here. An administrator of this server can let you in.",
    Told.UNVERIFIED: "What the sign-in service sent could not be verified. An administrator finds out why in the log.",
    Told.UNAVAILABLE: "The sign-in service does not answer at this moment. Try again in a minute.",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not signed in</title></head>
<body><h1>Not signed in</h1><p>{words}</p><p>Request {request_id}</p></body>
</html>
"""
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def failure_page(request: Request, told: Told) -> Response:
    """The page, with the status that goes with it. A request id is letters, digits and dots."""
    request_id = request_id_of(request)
    page = _PAGE.format(words=_WORDS[told], request_id=request_id)
    return Response(page, told.value, {**HEADERS, REQUEST_ID_HEADER: request_id}, "text/html")
