"""Every answer tells browsers to keep their hands off it, whatever it is and whoever asked."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from node_in_process import Node, running_node

from handlers.page_policy import guarded, policy_of
from handlers.registry import Binary
from server.representation import respond
from server.security_headers import HEADERS

FORBIDDEN = ("unsafe-inline", "unsafe-eval", "*")


def play(folder: Path, scenario: Callable[[Node, httpx.AsyncClient], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with asyncio.timeout(30), running_node(folder, **settings) as node:
            transport = httpx.ASGITransport(app=node.studio.app)
            headers = {"Authorization": f"Bearer {node.token('admin')}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://studio", headers=headers) as client:
                await scenario(node, client)

    asyncio.run(run())


def test_answers_pages_refusals_and_what_is_not_there_carry_them(tmp_path: Path) -> None:
    async def scenario(_: Node, client: httpx.AsyncClient) -> None:
        for method, path, status in (
            ("GET", "/me", 200),
            ("POST", "/tickets", 201),
            ("GET", "/me", 401),
            ("GET", "/nowhere", 404),
            ("PATCH", "/me", 405),
            ("GET", "/docs", 200),
            ("GET", "/openapi.json", 200),
            ("GET", "/health", 200),
            ("GET", "/metrics", 200),
            ("HEAD", "/feeds/default/activity/stream", 200),
        ):
            authorization = {"Authorization": "Bearer wrong"} if status == 401 else {}
            answer = await client.request(method, path, headers=authorization)
            assert answer.status_code == status, path
            assert answer.headers.keys() >= {name.lower() for name in HEADERS}, path
            for name in HEADERS:
                # Once each: browsers take two policies together, and of other headers the first or none.
                assert len(answer.headers.get_list(name)) == 1, (path, name)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert not any(word in answer.headers["content-security-policy"] for word in FORBIDDEN)
            assert "strict-transport-security" not in answer.headers

    play(tmp_path, scenario)


def test_secrets_are_kept_by_no_cache(tmp_path: Path) -> None:
    async def scenario(_: Node, client: httpx.AsyncClient) -> None:
        for path, body in (("/tickets", None), ("/api-keys", {"name": "job"})):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")

    play(tmp_path, scenario)


@pytest.mark.parametrize(("url", "is_strict"), [("https://studio.example.org", True), ("http://studio.local", False)])
def test_https_is_asked_for_where_people_use_it(tmp_path: Path, url: str, is_strict: bool) -> None:
    async def scenario(_: Node, client: httpx.AsyncClient) -> None:
        answer = await client.get("/health")
        assert ("strict-transport-security" in answer.headers) is is_strict

    play(tmp_path, scenario, public_url=url)


def test_allowed_pages_elsewhere_may_still_ask(tmp_path: Path) -> None:
    origin = "https://app.example.org"

    async def scenario(_: Node, client: httpx.AsyncClient) -> None:
        answer = await client.get("/me", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin

    play(tmp_path, scenario, allowed_origins=(origin,))


PAGE = """<!doctype html><html><head>
<meta name="viewport" content="width=device-width">
<style>body { color: red }</style></head><body>&lt;style&gt;</body></html>"""


def test_a_page_of_ours_may_have_its_own_style_and_nothing_else() -> None:
    page = guarded(PAGE)
    [inside] = re.findall('<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    outside = respond(Binary(media_type="text/html; charset=utf-8", data=page.encode()), 200, "", {}).headers
    assert inside == policy_of(PAGE)
    for policy in (inside, outside["content-security-policy"]):
        assert "default-src 'none'" in policy
        assert re.search("style-src 'sha256-[^']{44}'", policy)
        assert not any(word in policy for word in FORBIDDEN)
    assert "frame-ancestors 'none'" in outside["content-security-policy"]
    changed = PAGE.replace("red", "blue")
    assert policy_of(changed) != policy_of(PAGE)
