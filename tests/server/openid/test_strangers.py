"""How often one place may try to sign in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from openid_nodes import openid_nodes

from server.openid.strangers import BURST
from server.places import place_of


def test_one_place_tries_so_often_and_others_are_not_kept_out(sqlite_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with openid_nodes(sqlite_url, tmp_path) as world:
            browser, other = world.browser(), world.browser()
            other.address = "192.0.2.8"
            answers = [await browser.exchange("cso_guessed") for _ in range(BURST + 100)]
            kinds = {answer.status_code for answer in answers}
            refused = [answer for answer in answers if answer.status_code == 429]
            assert kinds == {400, 429}
            assert int(refused[0].headers["retry-after"]) >= 1
            assert (await other.sign_in())["user_id"] == "ada"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::7", "2001:db8::ffff:8", True),
        ("2001:db8::7", "2001:db8:0:1::7", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("fe80::1%eth0", "fe80::2", True),
        (None, "", True),
        ("a pipe", "192.0.2.7", False),
    ],
)
def test_a_place_is_an_address_or_a_network(one: str | None, other: str | None, same: bool) -> None:
    assert (place_of(one) == place_of(other)) is same
