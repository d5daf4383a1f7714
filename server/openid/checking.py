"""What `collab-studio check` finds about the provider of sign-ins, by asking it."""

from __future__ import annotations

from server.openid.failures import SignInFailed
from server.openid.keys import KINDS
from server.openid.options import OpenIdOptions, openid_options
from server.openid.provider import Metadata, Provider
from server.settings import Settings

_WAYS_WITH_SECRET = {"client_secret_basic", "client_secret_post"}


async def find_problems(settings: Settings) -> list[str]:
    """All that would keep people from signing in, one sentence each; none where nobody is to."""
    options = openid_options(settings)
    if options is None:
        return []
    provider = Provider(options)
    try:
        metadata = await provider.metadata()
        problems = _unfit(metadata, options)
        if not len(await provider.keys()):
            problems.append(f"{metadata.jwks_uri} has no key that can verify what is signed here")
    except SignInFailed as failure:
        problems = [failure.detail]
    return [f"oidc_issuer: {problem}" for problem in problems]


def _unfit(metadata: Metadata, options: OpenIdOptions) -> list[str]:
    problems = []
    if "code" not in metadata.response_types_supported:
        problems.append("the provider does not offer the authorization code flow; switch it on there")
    challenges = metadata.code_challenge_methods_supported
    if challenges is not None and "S256" not in challenges:
        problems.append("the provider does not offer PKCE with S256; switch it on there")
    announced = metadata.id_token_signing_alg_values_supported
    if announced and not set(announced) & set(KINDS):
        problems.append(f"the provider signs with {', '.join(announced)} only; let it sign with RS256 or ES256")
    ways = set(metadata.token_endpoint_auth_methods_supported)
    if options.secret is not None and not ways & _WAYS_WITH_SECRET:
        problems.append("the provider takes no client secret; unset oidc_client_secret, or let it take one")
    return problems
