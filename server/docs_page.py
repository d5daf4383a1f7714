"""`/docs`: one page that reads `/openapi.json`, shows every operation and lets one try it. No other host is asked."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.page_policy import NOT_FRAMED, policy_of, sources
from server.problems import REQUEST_ID_HEADER, request_id_of

_PAGE = Path(__file__).with_name("docs_page.html")


def docs_route() -> Route:
    page = _PAGE.read_text(encoding="utf-8")
    policy = content_security_policy(page)

    async def docs(request: Request) -> Response:
        headers = {
            REQUEST_ID_HEADER: request_id_of(request),
            "Content-Security-Policy": policy,
            "Cache-Control": "no-cache",
        }
        return Response(page, headers=headers, media_type="text/html")

    return Route("/docs", docs, include_in_schema=False)


def content_security_policy(page: str) -> str:
    """Allows the page's own script and style by their hashes, requests to this server, and nothing else."""
    return f"{policy_of(page)}; script-src {sources(page, 'script')}; connect-src 'self'; {NOT_FRAMED}"
