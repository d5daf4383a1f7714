"""A sign-in from the provider's answer to a token of ours."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from starlette.requests import Request

from handlers.credentials import fingerprint
from handlers.parts import Parts
from handlers.registry import Instant, InvalidRequest
from server import signing_in
from server.caller import address_of
from server.openid.admitting import admit
from server.openid.attempt import LIFETIME, Attempt, Attempts, challenge_of
from server.openid.failures import REFUSED_THERE, SignInFailed, Told, unverified
from server.openid.id_tokens import check_claims, check_sign_in, signed_claims
from server.openid.options import OpenIdOptions
from server.openid.person import Person, person_of, require_admitted
from server.openid.provider import Metadata, Provider
from server.problems import request_id_of
from server.tokens import ServerIssuer, peek
from server.visitors import visitor_of
from storage import external_identities, openid_sessions, sign_in_codes, spent_marks, users
from storage.external_identities import ExternalIdentity
from storage.sign_in_codes import SignInCode

CODE_PREFIX = "cso_"
# The Studio's page asks for the token as soon as it is there.
CODE_LIFETIME = timedelta(seconds=60)
LONGEST_PARAMETER = 4096


class Ended(NamedTuple):
    """Where the browser goes, and with what."""

    return_to: str
    code: str
    client_state: str | None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A token, as RFC 6749 section 5.1 names its parts, and whose it is."""

    access_token: str
    token_type: str
    expires_in: int
    expires_at: Instant
    user_id: str


class SignIn:
    """Sign-ins at one provider."""

    def __init__(
        self,
        options: OpenIdOptions,
        provider: Provider,
        attempts: Attempts,
        issuer: ServerIssuer,
        parts: Parts,
        now: Callable[[], datetime],
    ) -> None:
        self.options = options
        self.provider = provider
        self.attempts = attempts
        self._issuer = issuer
        self._parts = parts
        self._now = now

    async def ended(self, answer: Mapping[str, str], cookie: str | None) -> Ended:
        """What the provider's answer, the parameters of the callback, leads to. Raises SignInFailed."""
        if any(len(value) > LONGEST_PARAMETER for value in answer.values()):
            raise SignInFailed("bad_state", Told.START_AGAIN, "a parameter is too long")
        attempt = self.attempts.read(cookie, answer.get("state", ""), self._now())
        await self._spend(attempt)
        metadata = await self.provider.metadata()
        self._check_answer(answer, metadata)
        person = await self._person(attempt, metadata, answer["code"])
        require_admitted(person, self.options)
        identity = await admit(self._parts, person, self.options, self._now())
        return Ended(attempt.return_to, await self._code(identity, attempt, person), attempt.client_state)

    async def _spend(self, attempt: Attempt) -> None:
        """Each state is good once, on all nodes together."""
        now = self._now()
        async with self._parts.database.write() as connection:
            mark = fingerprint(f"openid state {attempt.state}")
            # A minute more: nodes' clocks differ.
            until = now + LIFETIME + timedelta(minutes=1)
            if not await spent_marks.spend(connection, mark, expires_at=until, at=now):
                raise SignInFailed("state_replayed", Told.START_AGAIN, "the state was used before")

    def _check_answer(self, answer: Mapping[str, str], metadata: Metadata) -> None:
        issuer = answer.get("iss")
        # RFC 9207: an answer of another provider is not mixed up with one of this.
        if issuer is None and metadata.authorization_response_iss_parameter_supported:
            raise unverified("mix_up", "the answer does not name its issuer")
        if issuer is not None and issuer != self.options.issuer:
            raise unverified("mix_up", "the answer is of another issuer")
        if "error" in answer:
            # RFC 6749 section 4.1.2.1: the person said no, or the provider would not. Its words are anybody's.
            told = Told.START_AGAIN if answer["error"] == "access_denied" else Told.UNVERIFIED
            raise SignInFailed(REFUSED_THERE, told, f"the provider answered with {answer['error'][:100]!r}")
        if not answer.get("code"):
            raise unverified("no_code", "the provider's answer has no code")

    async def _person(self, attempt: Attempt, metadata: Metadata, code: str) -> Person:
        tokens = await self.provider.redeem(code, attempt.verifier)
        claims = await signed_claims(tokens.id_token, self.provider, metadata.id_token_signing_alg_values_supported)
        check_claims(claims, issuer=self.options.issuer, client_id=self.options.client_id, now=self._now())
        algorithm = str(peek(tokens.id_token, 0)["alg"])
        check_sign_in(claims, nonce=attempt.nonce, access_token=tokens.access_token, algorithm=algorithm)
        return person_of(claims, self.options)

    async def _code(self, identity: ExternalIdentity, attempt: Attempt, person: Person) -> str:
        code, now = CODE_PREFIX + secrets.token_urlsafe(32), self._now()
        row = SignInCode(identity.id, attempt.challenge, person.session)
        async with self._parts.database.write() as connection:
            await sign_in_codes.purge_expired(connection, at=now)
            await sign_in_codes.create(connection, fingerprint(code), row, expires_at=now + CODE_LIFETIME)
        return code

    async def open_session(self, code: str, verifier: str, request: Request) -> Opened:
        """A token for a code. Raises InvalidRequest, in the same words whatever is wrong with the two."""
        now = self._now()
        async with self._parts.database.write() as connection:
            # Used up, also by a wrong verifier: nobody tries a second one.
            row = await sign_in_codes.consume(connection, fingerprint(code), at=now)
            identity = await external_identities.get(connection, row.identity_id) if row else None
            user = await users.get(connection, identity.user_id) if identity else None
        is_right = row is not None and hmac.compare_digest(challenge_of(verifier), row.challenge)
        if row is None or not is_right or user is None or not user.is_active:
            self._refuse(request)
            raise InvalidRequest(
                "The code is refused: it is unknown, used, expired or another's.", code="invalid_grant"
            )
        lifetime = timedelta(seconds=self.options.token_lifetime)
        async with self._parts.database.write() as connection:
            token = await signing_in.open_session(
                connection, self._issuer, user.id, lifetime, now, opened_by="openid", visitor=visitor_of(request)
            )
            sid = str(peek(token, 1)["sid"])
            await openid_sessions.create(connection, sid, row.identity_id, row.provider_session)
        self._parts.audit.signed_in(
            user_id=user.id, via="openid", request_id=request_id_of(request), address=address_of(request)
        )
        return Opened(
            access_token=token,
            token_type="Bearer",  # noqa: S106 - the kind of the token
            expires_in=int(self.options.token_lifetime),
            expires_at=now + lifetime,
            user_id=user.id,
        )

    def _refuse(self, request: Request) -> None:
        self._parts.audit.refused(
            actor=None,
            action="auth.token",
            target=self.options.issuer,
            code="invalid_grant",
            request_id=request_id_of(request),
            address=address_of(request),
        )
