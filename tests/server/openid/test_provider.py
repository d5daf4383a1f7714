"""What a provider publishes: what is believed of it, and how often it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from openid_provider import CLIENT_ID, FIRST_KEY, OpenIdProvider, new_key, openid_provider
from starlette.responses import RedirectResponse, Response

from server.openid.failures import SignInFailed
from server.openid.kept import FRESH_SECONDS, LOOK_SECONDS, LOOKS, STALE_SECONDS
from server.openid.keys import read_keys
from server.openid.options import OpenIdOptions
from server.openid.provider import KEYS_BYTES, METADATA_BYTES, WELL_KNOWN, Provider

ELSEWHERE = "https://evil.test"


class Asking:
    """A provider, what this server knows of it, and the clock that it goes by."""

    def __init__(self, provider: OpenIdProvider, **options: Any) -> None:
        self.ticks = 1000.0
        self.there = provider
        self.options = options_for(provider.issuer, **options)
        self.here = Provider(self.options, clock=lambda: self.ticks)

    def times(self, path: str) -> int:
        return self.there.asked.count(path)


def options_for(issuer: str, **changes: Any) -> OpenIdOptions:
    return OpenIdOptions(
        **{
            "issuer": issuer,
            "client_id": CLIENT_ID,
            "secret": None,
            "public_url": "https://studio.test",
            "scopes": "openid",
            "groups_claim": "groups",
            "domains": None,
            "groups": None,
            "admin_groups": frozenset(),
            "roles": (),
            "token_lifetime": 3600.0,
            **changes,
        }
    )


def asking(body: Callable[[Asking], Awaitable[None]]) -> None:
    async def run() -> None:
        async with openid_provider() as provider:
            await body(Asking(provider))

    asyncio.run(run())


async def reason_of(work: Awaitable[Any]) -> str:
    with pytest.raises(SignInFailed) as caught:
        await work
    return caught.value.reason


def test_what_a_provider_says_of_itself_is_checked() -> None:
    wrong = (
        ({"issuer": ELSEWHERE}, "wrong_issuer"),
        ({"token_endpoint": "https://10.0.0.1/token"}, "bad_metadata"),
        ({"token_endpoint": "https://169.254.169.254/latest"}, "bad_metadata"),
        ({"jwks_uri": "http://login.example.org/jwks"}, "bad_metadata"),
        ({"jwks_uri": "file:///etc/passwd"}, "bad_metadata"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "bad_metadata"),
        ({"end_session_endpoint": "https://user:word@login.example.org"}, "bad_metadata"),
        ({"authorization_endpoint": 7}, "provider_unavailable"),
        ({"filler": "x" * METADATA_BYTES}, "provider_unavailable"),
    )

    async def body(asked: Asking) -> None:
        for metadata, reason in wrong:
            asked.there.metadata = metadata
            assert await reason_of(asked.here.fetch_metadata()) == reason, metadata
        asked.there.metadata = {}
        assert (await asked.here.fetch_metadata()).issuer == asked.there.issuer

    asking(body)


def test_a_redirect_is_not_followed() -> None:
    async def body(asked: Asking) -> None:
        asked.there.replies[WELL_KNOWN] = RedirectResponse(f"{asked.there.issuer}/jwks")
        assert await reason_of(asked.here.metadata()) == "provider_unavailable"
        assert asked.times("/jwks") == 0

    asking(body)


def test_keys_are_asked_for_once_an_hour_by_all_together() -> None:
    async def body(asked: Asking) -> None:
        found = await asyncio.gather(*(asked.here.keys() for _ in range(20)))
        assert all(each is found[0] for each in found)
        asked.ticks += FRESH_SECONDS - 1
        assert await asked.here.keys() is found[0]
        assert asked.times("/jwks") == 1
        asked.ticks += 2
        assert await asked.here.keys() is not found[0]
        assert (asked.times("/jwks"), asked.times(WELL_KNOWN)) == (2, 2)

    asking(body)


def test_a_new_key_is_found_and_made_up_ones_do_not_make_the_server_hammer() -> None:
    async def body(asked: Asking) -> None:
        keys = await asked.here.keys()
        asked.there.key = new_key("second", "ES256")
        newer = await asked.here.newer_keys(keys)
        assert newer is not None
        assert [len(each.that_may_verify("ES256", "second")) for each in (keys, newer)] == [0, 1]
        # Whoever still holds the old ones is given what is there.
        assert await asked.here.newer_keys(keys) is newer
        assert asked.times("/jwks") == 2
        for _ in range(100):
            keys = await asked.here.newer_keys(keys) or keys
        assert asked.times("/jwks") == LOOKS
        asked.ticks += LOOK_SECONDS
        assert await asked.here.newer_keys(keys) is not None
        assert asked.times("/jwks") == LOOKS + 1

    asking(body)


def test_a_provider_that_is_away_is_believed_for_a_day() -> None:
    async def body(asked: Asking) -> None:
        keys = await asked.here.keys()
        for path in (WELL_KNOWN, "/jwks"):
            asked.there.replies[path] = Response(status_code=500)
        asked.ticks += STALE_SECONDS - 1
        assert await asked.here.keys() is keys
        asked.ticks += 2
        assert await reason_of(asked.here.keys()) == "provider_unavailable"
        # Those who come meanwhile do not each wait for it.
        before = len(asked.there.asked)
        for _ in range(20):
            assert await reason_of(asked.here.keys()) == "provider_unavailable"
        assert len(asked.there.asked) <= before + 2 * LOOKS

    asking(body)


def test_only_keys_that_can_be_trusted_are_kept() -> None:
    public = FIRST_KEY.as_dict(private=False)
    weak = {"kty": "RSA", "n": "u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7Qk", "e": "AQAB"}
    entries: list[dict[str, Any]] = [
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        weak,
        {**public, "use": "enc"},
        {**public, "alg": "ES256"},
        {**public, "alg": "none"},
        {**public, "key_ops": ["sign"]},
        {**public, "kid": 7},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {},
        public,
    ]
    assert len(read_keys(msgspec.json.encode({"keys": entries}))) == 1
    for document in (b"", b"[]", b'{"keys": {}}', b"\xff", b"[" * 100_000):
        with pytest.raises(SignInFailed):
            read_keys(document)


def test_more_bytes_than_keys_have_are_not_read() -> None:
    async def body(asked: Asking) -> None:
        asked.there.replies["/jwks"] = Response(b" " * (KEYS_BYTES + 1))
        assert await reason_of(asked.here.keys()) == "provider_unavailable"

    asking(body)


def test_the_server_says_who_it_is_as_the_provider_wants_it() -> None:
    async def body(asked: Asking) -> None:
        for secret, methods in ((None, ["none"]), ("a: b", ["client_secret_basic"]), ("a: b", ["client_secret_post"])):
            asked.there.secret, asked.there.metadata = secret, {"token_endpoint_auth_methods_supported": methods}
            here = Provider(options_for(asked.there.issuer, secret=secret))
            # It is known, and the code is not.
            assert await reason_of(here.redeem("unknown", "v" * 43)) == "code_refused"

    asking(body)
