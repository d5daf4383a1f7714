"""Nodes on one database that people sign in to at a provider, and the browser they do it with."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from openid_provider import CLIENT_ID, SECRET, OpenIdProvider, openid_provider

from server.app import Studio, running
from server.bootstrap import prepare_first_use, signing_secret
from server.settings import Settings
from storage import audit
from storage.database import Database

HERE = "https://studio.test"
APP = "https://app.test/signed-in?from=studio"


@dataclass
class Browser:
    """Keeps cookies and follows nothing by itself. `node` is the one that the balancer takes it to."""

    studios: list[Studio]
    node: int = 0
    address: str = "192.0.2.7"
    client: httpx.AsyncClient = field(init=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(transport=_Network(self), trust_env=False)

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    async def begin(self, **changes: Any) -> httpx.Response:
        """To the provider and back, as far as the address of the callback."""
        parameters = {"return_to": APP, "code_challenge": self.challenge, "state": "the client's"} | changes
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self.client.get(f"{HERE}/auth/login", params=given)

    async def callback(self) -> str:
        """The address at which the provider's answer is taken."""
        login = await self.begin()
        assert login.status_code == 303, login.text
        return (await self.client.get(login.headers["location"])).headers["location"]

    async def ended(self) -> httpx.Response:
        """The whole way through the provider; the answer to the callback."""
        return await self.client.get(await self.callback())

    async def exchange(self, code: str, verifier: str | None = None) -> httpx.Response:
        body = {"code": code, "code_verifier": verifier or self.verifier}
        return await self.client.post(f"{HERE}/auth/token", json=body)

    async def sign_in(self) -> dict[str, Any]:
        """What the exchange gives."""
        ended = await self.ended()
        assert ended.status_code == 303, ended.text
        answer = await self.exchange(code_of(ended))
        assert answer.status_code == 200, answer.text
        opened: dict[str, Any] = answer.json()
        return opened

    async def me(self, token: str) -> httpx.Response:
        return await self.client.get(f"{HERE}/me", headers={"Authorization": f"Bearer {token}"})


class _Network(httpx.AsyncBaseTransport):
    """This server's address leads to one of its nodes, every other one to where it says."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._real = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != urlsplit(HERE).hostname:
            return await self._real.handle_async_request(request)
        node = httpx.ASGITransport(
            self._browser.studios[self._browser.node].app, client=(self._browser.address, 50_000)
        )
        return await node.handle_async_request(request)

    async def aclose(self) -> None:
        await self._real.aclose()


def code_of(ended: httpx.Response) -> str:
    """The code that the Studio gets."""
    return parse_qs(urlsplit(ended.headers["location"]).query)["code"][0]


@dataclass
class World:
    """A provider, nodes on one database, and browsers."""

    provider: OpenIdProvider
    studios: list[Studio]
    database: Database
    browsers: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        self.browsers.append(Browser(self.studios))
        return self.browsers[-1]

    async def audited(self) -> list[audit.Entry]:
        """The audit trail, the oldest first, with what waited in any node."""
        for studio in self.studios:
            await studio.parts.audit.flush()
        async with self.database.read() as connection:
            return (await audit.read(connection, limit=1000))[::-1]

    async def refusals(self) -> list[str]:
        return [row.details["reason"] for row in await self.audited() if row.outcome == "refused"]


@contextlib.asynccontextmanager
async def openid_nodes(url: str, folder: Path, *, nodes: int = 1, **settings: Any) -> AsyncIterator[World]:
    """Nodes over a migrated database, with a provider of their own."""
    async with openid_provider() as provider, contextlib.AsyncExitStack() as stack:
        chosen: dict[str, Any] = {
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": SECRET,
            "public_url": HERE,
            "allowed_origins": ("https://app.test",),
            **settings,
        }
        issuer = chosen.pop("oidc_issuer", provider.issuer)
        node = Settings(data=folder, database_url=url, oidc_issuer=issuer, **chosen)
        database = await Database.open(url)
        stack.push_async_callback(database.close)
        await prepare_first_use(database, datetime.now(UTC))
        secret = await signing_secret(database, None)
        studios = []
        for _ in range(nodes):
            own = await Database.open(url)
            stack.push_async_callback(own.close)
            studios.append(await stack.enter_async_context(running(node, own, secret)))
        world = World(provider, studios, database)
        try:
            yield world
        finally:
            for browser in world.browsers:
                await browser.client.aclose()
