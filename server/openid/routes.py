"""Sign-in by OpenID Connect, below `/auth`: the authorization code flow with PKCE, with this server as the client.

`GET /auth/login`     sends a browser to the provider, with what it has to bring back in a sealed cookie
`GET /auth/callback`  takes it back from there, and sends it on to the Studio with a code that is good once
`POST /auth/token`    gives the Studio a token for that code, if it holds the verifier that it began with
`POST /auth/logout`   ends the session of the token that it is asked with, and says where to sign out at the provider
`POST /auth/backchannel-logout`  is how the provider says that somebody has signed out there
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handlers.parts import Parts
from handlers.registry import InvalidRequest, NotAuthenticated, OperationError, Unavailable
from server.auth import Authenticator
from server.caller import address_of
from server.openid.addresses import allowed_origins, allowed_return, with_parameters
from server.openid.attempt import Attempts, begin, challenge_of
from server.openid.failures import REFUSED_THERE, SignInFailed, Told
from server.openid.id_tokens import LONGEST_ID_TOKEN
from server.openid.options import openid_options
from server.openid.pages import HEADERS, failure_page
from server.openid.provider import Provider
from server.openid.sign_in import SignIn
from server.openid.sign_out import SignOut
from server.openid.strangers import sign_in_limit
from server.places import place_of
from server.problems import REQUEST_ID_HEADER, fault_response, problem_response, request_id_of
from server.representation import JSON, media_type_of, read_body, respond
from server.settings import Settings
from server.tokens import ServerIssuer
from server.visitors import visitor_of
from storage.errors import Unavailable as StorageUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=msgspec.Struct)

BODY_BYTES = 4096
BACK_CHANNEL = "auth.backchannel_logout"
_CHALLENGE = r"^[A-Za-z0-9_-]{43}$(?!\n)"
# RFC 7636 section 4.1.
_VERIFIER = r"^[A-Za-z0-9._~-]{43,128}$(?!\n)"


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a client begins: with a challenge (S256), so that nobody else has use for the code."""

    code_challenge: Annotated[str, Meta(pattern=_CHALLENGE)]
    return_to: str | None = None
    state: Annotated[str, Meta(max_length=500)] | None = None


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(max_length=200)]
    code_verifier: Annotated[str, Meta(pattern=_VERIFIER)]


class Logout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`return_to` is where the provider sends the browser back to; it is to be registered there as well."""

    return_to: str | None = None


class OpenIdRoutes:
    """The addresses of one server's sign-in."""

    def __init__(
        self,
        sign_in: SignIn,
        sign_out: SignOut,
        authenticator: Authenticator,
        parts: Parts,
        origins: frozenset[str],
        now: Callable[[], datetime],
    ) -> None:
        self._sign_in = sign_in
        self._sign_out = sign_out
        self._authenticator = authenticator
        self._lockouts = authenticator.lockouts
        self._parts = parts
        self._origins = origins
        self._now = now
        self._limit = sign_in_limit()

    def routes(self) -> list[Route]:
        return [
            Route("/auth/login", self._guarded("auth.login", self.login), methods=["GET"], include_in_schema=False),
            Route("/auth/callback", self._guarded("auth.callback", self.callback), methods=["GET"]),
            Route("/auth/token", self._guarded("auth.token", self.token), methods=["POST"]),
            Route("/auth/logout", self._guarded("auth.logout", self.logout), methods=["POST"]),
            Route("/auth/backchannel-logout", self._guarded(BACK_CHANNEL, self.told), methods=["POST"]),
        ]

    async def login(self, request: Request) -> Response:
        asked = _read(dict(_once(request)), Login)
        return_to = allowed_return(asked.return_to, self._origins)
        attempt = begin(return_to, asked.code_challenge, asked.state, self._now())
        metadata = await self._sign_in.provider.metadata()
        options = self._sign_in.options
        address = with_parameters(
            metadata.authorization_endpoint,
            response_type="code",
            client_id=options.client_id,
            redirect_uri=options.redirect_uri,
            scope=options.scopes,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=challenge_of(attempt.verifier),
            code_challenge_method="S256",
        )
        return self._sent_on(address, self._sign_in.attempts.cookie(attempt))

    async def callback(self, request: Request) -> Response:
        answer = dict(_once(request))
        with self._lockouts.guarding(address_of(request), request.url.query, is_guess=_is_guess):
            ended = await self._sign_in.ended(answer, request.cookies.get(self._sign_in.attempts.cookie_name))
        address = with_parameters(ended.return_to, code=ended.code, state=ended.client_state)
        return self._sent_on(address, self._sign_in.attempts.no_cookie())

    async def token(self, request: Request) -> Response:
        if media_type_of(request) != JSON:
            raise InvalidRequest(f"Send code and code_verifier as {JSON}.")
        body = await read_body(request, BODY_BYTES)
        asked = _decoded(body, Exchange)
        with self._lockouts.guarding(address_of(request), asked.code):
            opened = await self._sign_in.open_session(asked.code, asked.code_verifier, request)
        return respond(opened, 200, JSON, {**HEADERS, "Pragma": "no-cache"})

    async def logout(self, request: Request) -> Response:
        principal = await self._authenticator.authenticate_headers(request.headers, visitor_of(request))
        if principal is None:
            raise NotAuthenticated("Sign in first: send a bearer token.")
        asked = _decoded(await read_body(request, BODY_BYTES) or b"{}", Logout)
        return_to = None if asked.return_to is None else allowed_return(asked.return_to, self._origins)
        return respond(await self._sign_out.of(principal, return_to), 200, JSON, HEADERS)

    async def told(self, request: Request) -> Response:
        """Answers as Back-Channel Logout 1.0 section 2.8 has it."""
        body = await read_body(request, LONGEST_ID_TOKEN + BODY_BYTES)
        tokens = parse_qs(body.decode("latin-1")).get("logout_token", [])
        if len(tokens) != 1:
            raise InvalidRequest("Send a form with one logout_token.")
        await self._sign_out.told(tokens[0])
        return Response(status_code=200, headers=HEADERS)

    def _sent_on(self, address: str, cookie: str) -> Response:
        response = RedirectResponse(address, 303, HEADERS)
        response.headers["Set-Cookie"] = cookie
        return response

    def _guarded(
        self, operation: str, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint, with each failure told as it has to be and noted in the audit trail."""

        async def guarded(request: Request) -> Response:
            request.state.operation = operation
            request_id = request_id_of(request)
            try:
                await self._limit.take(place_of(address_of(request)))
                response = await endpoint(request)
            except SignInFailed as failure:
                response = self._failed(request, operation, failure)
            except OperationError as error:
                response = problem_response(error, request_id)
            except StorageUnavailable:
                logger.warning("a sign-in: the database cannot be used now", exc_info=True)
                unavailable = Unavailable("The database cannot be used at this moment; try again.")
                response = problem_response(unavailable, request_id)
            except Exception as error:
                response = fault_response(error, request_id)
            response.headers[REQUEST_ID_HEADER] = request_id
            return response

        return guarded

    def _failed(self, request: Request, operation: str, failure: SignInFailed) -> Response:
        logger.warning("a sign-in failed, %s: %s", failure.reason, failure.detail)
        if failure.told is not Told.UNAVAILABLE:
            self._parts.audit.refused(
                actor=None,
                action=operation,
                target=self._sign_in.options.issuer,
                code=failure.reason,
                request_id=request_id_of(request),
                address=address_of(request),
            )
        if operation == BACK_CHANNEL:
            refusal = Unavailable if failure.told is Told.UNAVAILABLE else InvalidRequest
            return problem_response(refusal("The logout token is refused."), request_id_of(request))
        response = failure_page(request, failure.told)
        if operation == "auth.callback":
            response.headers["Set-Cookie"] = self._sign_in.attempts.no_cookie()
        return response


def _is_guess(failure: Exception) -> bool:
    """What the provider says or signs, and who may come in, nobody guesses."""
    if not isinstance(failure, SignInFailed):
        return False
    return failure.told is Told.START_AGAIN and failure.reason != REFUSED_THERE


def _once(request: Request) -> Mapping[str, str]:
    """The parameters of the address. Raises InvalidRequest for one that is given twice."""
    items = request.query_params.multi_items()
    found = dict(items)
    if len(found) < len(items):
        raise InvalidRequest("A parameter of the address is given twice.")
    return found


def _decoded(body: bytes, what: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=what)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("The body is not JSON.", code="malformed_body") from None


def _read(values: dict[str, str], what: type[Login]) -> Login:
    try:
        return msgspec.convert(values, what)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{error}.") from None


def openid_routes(
    settings: Settings, parts: Parts, authenticator: Authenticator, signing_secret: str, now: Callable[[], datetime]
) -> list[Route]:
    """The addresses, where the settings name a provider. It is asked nothing before somebody signs in."""
    options = openid_options(settings)
    if options is None:
        return []
    issuer = ServerIssuer(signing_secret, now)
    attempts = Attempts(signing_secret, options.public_url)
    provider = Provider(options)
    sign_in = SignIn(options, provider, attempts, issuer, parts, now)
    sign_out = SignOut(options, provider, parts, now)
    return OpenIdRoutes(sign_in, sign_out, authenticator, parts, allowed_origins(settings), now).routes()
