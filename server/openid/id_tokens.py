"""ID tokens: whether the provider signed them for us, for this sign-in, and not long ago.

As OpenID Connect Core 1.0 section 3.1.3.7 has it, and RFC 8725 for what surrounds it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any, Protocol

from joserfc import errors, jws, jwt
from joserfc._rfc7515.model import JWSAlgModel

from server.openid.failures import unverified
from server.openid.keys import KINDS, LONGEST_KID, PublishedKeys
from server.tokens import peek

# Groups of somebody who is in hundreds are some tens of KiB.
LONGEST_ID_TOKEN = 64 * 1024
# Clocks of two organisations differ by less than this.
LEEWAY = timedelta(seconds=60)
# A token is made while we wait for it.
LONGEST_AGE = timedelta(minutes=10)
# OpenID Connect Core 1.0 section 2: at most 255 letters of ASCII.
LONGEST_SUBJECT = 255


class KeySource(Protocol):
    """Where keys come from."""

    async def keys(self) -> PublishedKeys: ...

    async def newer_keys(self, than: PublishedKeys) -> PublishedKeys | None: ...


class _Registry(jws.JWSRegistry):
    """Takes one algorithm, EdDSA without a warning that it has a newer name, and lets headers be that nobody knows."""

    max_header_length = 4096

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=(algorithm,), strict_check_header=False)
        self._algorithm = algorithm

    def get_alg(self, name: str) -> JWSAlgModel:
        if name != self._algorithm:
            raise errors.UnsupportedAlgorithmError(f"Algorithm of {name!r} is not allowed")
        return self.algorithms[name]


async def signed_claims(token: str, source: KeySource, announced: tuple[str, ...]) -> dict[str, Any]:
    """The claims of a token that one of the provider's keys signed. Raises SignInFailed.

    `announced` are the algorithms that the provider says it signs with, () if it does not say.
    """
    if len(token) > LONGEST_ID_TOKEN:
        raise unverified("bad_token", f"the token is longer than {LONGEST_ID_TOKEN} letters")
    header = peek(token, 0)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in KINDS or (announced and algorithm not in announced):
        raise unverified("bad_algorithm", "the token is not signed with an algorithm that is allowed")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= LONGEST_KID):
        raise unverified("bad_key_id", "the token names its key by what is no id")
    published = await source.keys()
    tried = published.that_may_verify(algorithm, kid)
    if not tried and (newer := await source.newer_keys(published)) is not None:
        tried = newer.that_may_verify(algorithm, kid)
    if not tried:
        raise unverified("unknown_key", "the token is signed with a key that the provider does not publish")
    return _verified(token, algorithm, tried)


def _verified(token: str, algorithm: str, tried: list[Any]) -> dict[str, Any]:
    registry = _Registry(algorithm)
    for key in tried:
        try:
            return jwt.decode(token, key, registry=registry).claims
        except errors.BadSignatureError:
            continue
        except (errors.JoseError, ValueError):
            raise unverified("bad_token", "the token is not well formed") from None
    raise unverified("bad_signature", "the token's signature does not hold")


def check_claims(
    claims: dict[str, Any], *, issuer: str, client_id: str, now: datetime, at_most: timedelta = LONGEST_AGE
) -> None:
    """That the token is from the issuer, for the client, and of now. Raises SignInFailed."""
    at = int(now.timestamp())
    registry = jwt.JWTClaimsRegistry(
        now=at,
        leeway=int(LEEWAY.total_seconds()),
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(claims)
    except errors.ExpiredTokenError:
        raise unverified("expired", "the token has expired") from None
    except errors.ClaimError as error:
        raise unverified(f"bad_{error.claim}", f"the token's claim {error.claim} is missing or wrong") from None
    if claims["iat"] < at - (at_most + LEEWAY).total_seconds():
        raise unverified("bad_iat", "the token was issued long ago")
    _check_parties(claims, client_id)


def _check_parties(claims: dict[str, Any], client_id: str) -> None:
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if ("azp" in claims or several) and claims.get("azp") != client_id:
        raise unverified("bad_azp", "the token is for somebody else, and for us beside")


def check_sign_in(claims: dict[str, Any], *, nonce: str, access_token: str | None, algorithm: str) -> str:
    """That the token belongs to this sign-in: its subject. Raises SignInFailed."""
    if not _same(claims.get("nonce"), nonce):
        raise unverified("bad_nonce", "the token is of another sign-in")
    if "at_hash" in claims and not (access_token and _same(claims["at_hash"], hash_of(access_token, algorithm))):
        raise unverified("bad_at_hash", "the token goes with another access token")
    return subject_of(claims)


def subject_of(claims: dict[str, Any]) -> str:
    """Who the token is about. Raises SignInFailed."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise unverified("bad_sub", "the token does not say whom it is about")
    return subject


def hash_of(token: str, algorithm: str) -> str:
    """The `at_hash` of an access token: the left half of its digest, by the digest of the signature's algorithm."""
    size = {"256": "sha256", "384": "sha384", "512": "sha512"}.get(algorithm[-3:], "sha512")
    digest = hashlib.new(size, token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _same(found: object, expected: str) -> bool:
    return isinstance(found, str) and hmac.compare_digest(found.encode(), expected.encode())
