"""What a sign-in is made of never gets into the log, however much is logged."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from openid_nodes import code_of, openid_nodes
from openid_provider import SECRET
from starlette.responses import Response

from server.logs import JsonFormatter, TextFormatter


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, in both forms."""
    written = io.StringIO()
    root = logging.getLogger()
    level, handlers = root.level, []
    for formatter in (TextFormatter(), JsonFormatter()):
        handler = logging.StreamHandler(written)
        handler.setFormatter(formatter)
        handlers.append(handler)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.setLevel(level)
    for handler in handlers:
        root.removeHandler(handler)


def test_nothing_of_a_sign_in_is_in_the_log(log: io.StringIO, sqlite_url: str, tmp_path: Path) -> None:
    async def run() -> list[str]:
        async with openid_nodes(sqlite_url, tmp_path, access_log=True) as world:
            browser = world.browser()
            login = await browser.begin()
            cookie = str(browser.client.cookies["__Host-studio-sign-in"])
            asked = parse_qs(urlsplit(login.headers["location"]).query)
            callback = (await browser.client.get(login.headers["location"])).headers["location"]
            code = code_of(await browser.client.get(callback))
            token = (await browser.exchange(code)).json()["access_token"]
            await browser.me(token)
            await browser.exchange(code)
            # And when it goes wrong in each place.
            world.provider.claims = {"nonce": "another"}
            await browser.ended()
            world.provider.replies["/token"] = Response(f'{{"id_token": 7, "access_token": "{SECRET}"}}')
            await browser.ended()
            secrets = [SECRET, cookie, code, token, browser.verifier, *world.provider.tokens]
            secrets += [asked["state"][0], asked["nonce"][0], parse_qs(urlsplit(callback).query)["code"][0]]
            return secrets

    secrets = asyncio.run(run())
    written = log.getvalue()
    assert "/auth/callback" in written
    assert "bad_nonce" in written
    assert [secret for secret in secrets if secret in written] == []
