"""`collab-studio check` asks the provider, and names what is wrong there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openid_provider import CLIENT_ID, SECRET, OpenIdProvider, openid_provider
from starlette.responses import Response

from server.openid.checking import find_problems
from server.openid.provider import WELL_KNOWN
from server.settings import Settings


def problems_with(*, published: list[Any] | None = None, away: bool = False, **metadata: Any) -> list[str]:
    async def run() -> list[str]:
        async with openid_provider() as provider:
            provider.published, provider.metadata = published, metadata
            if away:
                provider.replies[WELL_KNOWN] = Response(status_code=404)
            return await find_problems(settings_for(provider))

    return asyncio.run(run())


def settings_for(provider: OpenIdProvider) -> Settings:
    return Settings(
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SECRET,
        oidc_allowed_domains=("*",),
        public_url="https://studio.test",
    )


def test_all_is_well() -> None:
    assert problems_with() == []
    assert asyncio.run(find_problems(Settings())) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"away": True}, "answered with 404"),
        ({"issuer": "https://evil.test"}, "is of the issuer 'https://evil.test'"),
        ({"published": []}, "has no key"),
        ({"published": [{"kty": "oct", "k": "c2VjcmV0"}]}, "has no key"),
        ({"response_types_supported": ["token"]}, "authorization code flow"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE with S256"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "RS256 or ES256"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "takes no client secret"),
        ({"token_endpoint": "https://10.0.0.1/token"}, "not a public address"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], words: str) -> None:
    (problem,) = problems_with(**wrong)
    assert problem.startswith("oidc_issuer: ")
    assert words in problem
    assert SECRET not in problem


def test_a_provider_that_is_not_there_is_told() -> None:
    settings = Settings(
        oidc_issuer="http://127.0.0.1:9",
        oidc_client_id=CLIENT_ID,
        oidc_allowed_domains=("*",),
        public_url="https://studio.test",
    )
    (problem,) = asyncio.run(find_problems(settings))
    assert "could not be sent" in problem
