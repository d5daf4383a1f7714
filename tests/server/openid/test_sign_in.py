"""A whole sign-in, with a real provider and a browser that keeps cookies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from openid_nodes import APP, HERE, World, code_of, openid_nodes
from starlette.responses import Response

Body = Callable[[World], Awaitable[None]]


def in_world(body: Body, url: str, folder: Path, *, nodes: int = 1, **settings: object) -> None:
    async def run() -> None:
        async with openid_nodes(url, folder, nodes=nodes, **settings) as world:
            await body(world)

    asyncio.run(run())


def test_somebody_signs_in_begun_on_one_node_and_ended_on_others(database_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        callback = await browser.callback()
        browser.node = 1
        ended = await browser.client.get(callback)
        assert ended.status_code == 303, ended.text
        assert ended.headers["location"].startswith(f"{APP}&code=")
        assert parse_qs(urlsplit(ended.headers["location"]).query)["state"] == ["the client's"]
        browser.node = 0
        opened = (await browser.exchange(code_of(ended))).json()
        assert (opened["user_id"], opened["token_type"]) == ("ada", "Bearer")
        for browser.node in (0, 1):
            me = (await browser.me(opened["access_token"])).json()
            assert (me["id"], me["display_name"], me["is_admin"]) == ("ada", "Ada L.", False)

    in_world(body, database_url, tmp_path, nodes=2)


def test_no_token_stands_in_an_address_and_answers_are_not_kept(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        login = await browser.begin()
        cookie = login.headers["set-cookie"]
        assert cookie.startswith("__Host-studio-sign-in=")
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        for secret in ("nonce", "state"):
            assert parse_qs(urlsplit(login.headers["location"]).query)[secret][0] not in cookie
        callback = await browser.client.get(login.headers["location"])
        ended = await browser.client.get(callback.headers["location"])
        assert world.provider.tokens[0] not in ended.headers["location"]
        assert browser.client.cookies.get("__Host-studio-sign-in") is None
        opened = await browser.exchange(code_of(ended))
        for answer in (login, ended, opened):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"

    in_world(body, sqlite_url, tmp_path)


def test_who_has_signed_in_is_not_disturbed_when_the_provider_is_away(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        token = (await browser.sign_in())["access_token"]
        for path in ("/token", "/jwks", "/.well-known/openid-configuration"):
            world.provider.replies[path] = Response(status_code=502)
        assert (await browser.me(token)).status_code == 200
        assert (await browser.ended()).status_code == 503

    in_world(body, sqlite_url, tmp_path)


def test_without_a_provider_there_is_no_sign_in(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        assert (await world.browser().begin()).status_code == 404

    in_world(body, sqlite_url, tmp_path, oidc_issuer=None)


def test_the_trail_tells_who_signed_in_and_was_made(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await world.browser().sign_in()
        rows = [(row.actor, row.action, row.target) for row in await world.audited()]
        assert ("server/openid", "users.create", "ada") in rows
        assert ("ada", "sign_in", "ada") in rows
        assert HERE not in str(rows)

    in_world(body, sqlite_url, tmp_path)
