"""Signing out: here, at the provider as well, and here because it was done there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from openid_nodes import APP, HERE, Browser, World, openid_nodes
from openid_provider import ADA, CLIENT_ID, new_key, signed
from starlette.responses import Response

from server.openid.sign_out import EVENT

Body = Callable[[World], Awaitable[None]]


def in_world(body: Body, url: str, folder: Path, *, nodes: int = 1) -> None:
    async def run() -> None:
        async with openid_nodes(url, folder, nodes=nodes) as world:
            await body(world)

    asyncio.run(run())


async def sign_out(browser: Browser, token: str | None, **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await browser.client.post(f"{HERE}/auth/logout", json=body, headers=headers)


async def signed_in(browser: Browser, token: str) -> bool:
    """Whether the token still holds, once all nodes have had the time that is promised."""
    deadline = time.monotonic() + 10.0
    while (answer := await browser.me(token)).status_code == 200 and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return answer.status_code == 200


def test_who_signs_out_is_out_on_all_nodes_and_sent_to_the_provider(database_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        token, other = [(await browser.sign_in())["access_token"] for _ in range(2)]
        sessions = await browser.client.get(f"{HERE}/me/sessions", headers={"Authorization": f"Bearer {token}"})
        assert [each["opened_by"] for each in sessions.json()["items"]] == ["openid", "openid"]
        browser.node = 1
        assert (await browser.me(token)).status_code == 200
        browser.node = 0
        answer = await sign_out(browser, token, return_to=APP)
        address = urlsplit(answer.json()["logout_url"])
        assert f"{address.scheme}://{address.netloc}{address.path}" == f"{world.provider.issuer}/end"
        assert parse_qs(address.query) == {"client_id": [CLIENT_ID], "post_logout_redirect_uri": [APP]}
        for browser.node in (0, 1):
            assert not await signed_in(browser, token)
            assert (await browser.me(other)).status_code == 200
        assert (await sign_out(browser, token)).status_code == 401
        # Nowhere else, and nothing without a sign-in.
        assert (await sign_out(browser, other, return_to="https://evil.test/")).status_code == 400
        assert (await sign_out(browser, None)).status_code == 401
        headers = {"Authorization": f"Bearer {other}"}
        key = (await browser.client.post(f"{HERE}/api-keys", json={"name": "k"}, headers=headers)).json()["secret"]
        assert (await sign_out(browser, key)).status_code == 403
        # Whoever signs out is out, though the provider is away.
        world.provider.metadata = {"end_session_endpoint": None}
        assert (await sign_out(browser, other)).status_code == 200
        assert (await browser.me(other)).status_code == 401

    in_world(body, database_url, tmp_path, nodes=2)


def logout_claims(world: World, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": world.provider.issuer,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": f"logout-{time.monotonic_ns()}",
        "sub": ADA["sub"],
        "events": {EVENT: {}},
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


async def tell(browser: Browser, token: str) -> httpx.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    content = urlencode({"logout_token": token})
    return await browser.client.post(f"{HERE}/auth/backchannel-logout", content=content, headers=headers)


def test_who_signs_out_there_is_out_here(database_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser, provider = world.browser(), world.provider
        tokens = {}
        for name, account in (
            ("first", {**ADA, "sid": "one"}),
            ("second", {**ADA, "sid": "two"}),
            ("another's", {"sub": "2", "preferred_username": "grace", "sid": "three"}),
        ):
            provider.account = account
            tokens[name] = (await browser.sign_in())["access_token"]

        async def hold() -> list[str]:
            return [name for name, token in tokens.items() if (await browser.me(token)).status_code == 200]

        header = {"alg": "RS256", "kid": provider.key.kid, "typ": "logout+jwt"}
        told = signed(header, logout_claims(world, sub=None, sid="one"), provider.key)
        answer = await tell(browser, told)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert await hold() == ["second", "another's"]
        assert (await tell(browser, told)).status_code == 400
        # A session of somebody else is not ended by the name of it alone.
        await tell(browser, signed(header, logout_claims(world, sid="three"), provider.key))
        assert await hold() == ["second", "another's"]
        await tell(browser, signed(header, logout_claims(world), provider.key))
        assert await hold() == ["another's"]
        ended = [row for row in await world.audited() if row.action == "sessions.end"]
        assert [(row.actor, row.details["user"]) for row in ended] == [("server/openid", "ada")] * 2

    in_world(body, database_url, tmp_path)


def test_nobody_else_signs_people_out(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser, provider = world.browser(), world.provider
        token = (await browser.sign_in())["access_token"]
        header = {"alg": "RS256", "kid": provider.key.kid}
        now = int(time.time())
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"iss": "https://evil.test"}, "bad_iss"),
            ({"aud": "another"}, "bad_aud"),
            ({"exp": now - 90}, "expired"),
            ({"iat": now - 86400}, "bad_iat"),
            ({"events": None}, "no_logout"),
            ({"events": {"http://another.test/event": {}}}, "no_logout"),
            ({"events": [EVENT]}, "no_logout"),
            ({"nonce": "of an ID token"}, "no_logout"),
            ({"jti": None}, "bad_jti"),
            ({"sub": None}, "bad_sub"),
            ({"sid": 7}, "bad_sid"),
        ]
        for changes, reason in wrong:
            answer = await tell(browser, signed(header, logout_claims(world, **changes), provider.key))
            assert (answer.status_code, answer.json()["message"]) == (400, "The logout token is refused."), changes
            assert (await world.refusals())[-1] == reason, changes
        forged = signed(header, logout_claims(world), new_key("first"))
        assert (await tell(browser, forged)).status_code == 400
        # The token that somebody signed in with is no token to sign them out with.
        assert (await tell(browser, provider.tokens[0])).status_code == 400
        for content in ("", "logout_token=a&logout_token=b", "x" * 100_000):
            answer = await browser.client.post(f"{HERE}/auth/backchannel-logout", content=content)
            assert answer.status_code in (400, 413)
        assert (await browser.me(token)).status_code == 200
        # Made-up key ids do not make the server ask for keys without end, nor keep it from answering.
        for number in range(30):
            await tell(browser, signed({**header, "kid": f"made up {number}"}, logout_claims(world), provider.key))
        assert provider.asked.count("/jwks") <= 4
        provider.replies["/jwks"] = Response(status_code=500)
        assert (await browser.me(token)).status_code == 200

    in_world(body, sqlite_url, tmp_path)
