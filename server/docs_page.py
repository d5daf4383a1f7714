"""`/docs`: one page that reads `/openapi.json`, shows every operation and lets one try it. No other host is asked."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.problems import REQUEST_ID_HEADER, request_id_of

_PAGE = Path(__file__).with_name("docs_page.html")


def docs_route() -> Route:
    page = _PAGE.read_text(encoding="utf-8")
    policy = content_security_policy(page)

    async def docs(request: Request) -> Response:
        headers = {
            REQUEST_ID_HEADER: request_id_of(request),
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }
        return Response(page, headers=headers, media_type="text/html")

    return Route("/docs", docs, include_in_schema=False)


def content_security_policy(page: str) -> str:
    """Allows the page's own script and style by their hashes, requests to this server, and nothing else."""
    script = " ".join(_hashes(page, "script"))
    style = " ".join(_hashes(page, "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(page: str, element: str) -> list[str]:
    contents = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
