"""Talks to the provider: what it publishes about itself, its keys, and codes for tokens.

Requests go to the issuer's own host and to public addresses, never along a redirect, and each has a limit of time and
of bytes.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from handlers.outgoing import Answer, NotAllowed, OutgoingHttp, OutgoingPolicy, SendError
from server.openid.failures import SignInFailed, Told, unavailable, unverified
from server.openid.kept import Kept
from server.openid.keys import PublishedKeys, read_keys
from server.openid.options import OpenIdOptions

T = TypeVar("T", bound=msgspec.Struct)

SECONDS = 10.0
# The largest that is known, of a large cloud, has 4 KiB; keys with certificate chains reach some tens.
METADATA_BYTES = 64 * 1024
KEYS_BYTES = 256 * 1024
TOKENS_BYTES = 128 * 1024
WELL_KNOWN = "/.well-known/openid-configuration"


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of itself, as OpenID Connect Discovery 1.0 section 3 names it, where it matters here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    response_types_supported: tuple[str, ...] = ("code",)
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint answers with. The access token is of use for its hash alone."""

    id_token: str
    access_token: str | None = None


class Provider:
    """One provider. What it publishes is kept for an hour, and for a day while it is away."""

    def __init__(
        self,
        options: OpenIdOptions,
        http: OutgoingHttp | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        allowed = (*options.outgoing_hosts, urlsplit(options.issuer).hostname or "")
        self._http = http or OutgoingHttp(OutgoingPolicy(allowed))
        self._metadata = Kept(self.fetch_metadata, clock)
        self._keys = Kept(self._fetch_keys, clock)

    async def metadata(self) -> Metadata:
        """Raises SignInFailed."""
        return await self._metadata.get()

    async def keys(self) -> PublishedKeys:
        """Raises SignInFailed."""
        return await self._keys.get()

    async def newer_keys(self, than: PublishedKeys) -> PublishedKeys | None:
        """The keys of now, None where they cannot be had or were looked for too often."""
        return await self._keys.newer(than)

    async def redeem(self, code: str, verifier: str) -> Tokens:
        """The tokens that a code stands for. Raises SignInFailed."""
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._options.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        headers.update(self._authentication(metadata, form))
        try:
            answer = await self._http.post(
                metadata.token_endpoint,
                urlencode(form).encode(),
                headers,
                answer_bytes=TOKENS_BYTES + 1,
                seconds=SECONDS,
            )
        except (NotAllowed, SendError) as error:
            raise unavailable(f"{metadata.token_endpoint}: {error}") from None
        return self._tokens_of(metadata.token_endpoint, answer)

    def _authentication(self, metadata: Metadata, form: dict[str, str]) -> Mapping[str, str]:
        """How the server says who it is: headers, or more in the form."""
        options = self._options
        if options.secret is None:
            form["client_id"] = options.client_id
            return {}
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # RFC 6749 section 2.3.1 has both encoded as in a form, so that they hold no colon.
            pair = f"{quote(options.client_id, safe='')}:{quote(options.secret, safe='')}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        form["client_id"], form["client_secret"] = options.client_id, options.secret
        return {}

    def _tokens_of(self, address: str, answer: Answer) -> Tokens:
        if answer.status in (400, 401):
            # RFC 6749 section 5.2: used or expired codes, and also a wrong secret of ours.
            raise SignInFailed("code_refused", Told.START_AGAIN, f"{address} answered with {answer.status}")
        return _decoded(address, answer, TOKENS_BYTES, Tokens)

    async def fetch_metadata(self) -> Metadata:
        """What the provider says of itself at this moment. Raises SignInFailed."""
        address = self._options.issuer.rstrip("/") + WELL_KNOWN
        metadata = _decoded(address, await self._get(address, METADATA_BYTES), METADATA_BYTES, Metadata)
        if metadata.issuer != self._options.issuer:
            raise unverified("wrong_issuer", f"{address} is of the issuer {metadata.issuer[:200]!r}")
        self._check_addresses(metadata)
        return metadata

    def _check_addresses(self, metadata: Metadata) -> None:
        encrypted = self._options.issuer.startswith("https:")
        named = [metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri]
        for address in filter(None, (*named, metadata.end_session_endpoint)):
            try:
                self._http.policy.check_url(address)
            except NotAllowed as error:
                raise unverified("bad_metadata", f"{address[:200]!r} of the provider: {error}") from None
            if encrypted and not address.startswith("https:"):
                raise unverified("bad_metadata", f"{address[:200]!r} of the provider is not encrypted")

    async def _fetch_keys(self) -> PublishedKeys:
        address = (await self.metadata()).jwks_uri
        return read_keys(_within(address, await self._get(address, KEYS_BYTES), KEYS_BYTES))

    async def _get(self, address: str, most: int) -> Answer:
        try:
            return await self._http.get(address, {"Accept": "application/json"}, answer_bytes=most + 1, seconds=SECONDS)
        except (NotAllowed, SendError) as error:
            raise unavailable(f"{address}: {error}") from None


def _within(address: str, answer: Answer, most: int) -> bytes:
    if answer.status != 200:
        raise unavailable(f"{address} answered with {answer.status}")
    if len(answer.body) > most:
        raise unavailable(f"{address} answered with more than {most} bytes")
    return answer.body


def _decoded(address: str, answer: Answer, most: int, what: type[T]) -> T:
    body = _within(address, answer, most)
    try:
        return msgspec.json.decode(body, type=what)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Where in the answer it is wrong, and nothing of the answer: there are tokens in it.
        raise unavailable(f"{address} did not answer with {what.__name__.lower()}: {error}") from None
