"""A small OpenID Connect provider on a port, with real keys: signs everybody in at once, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import uvicorn
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "studio"
SECRET = "the studio's secret: with a colon"
Claims = dict[str, Any]
ADA: Claims = {"sub": "248289761001", "preferred_username": "ada", "name": "Ada L."}


def new_key(kid: str, algorithm: str = "RS256") -> Key:
    """A private key that is published as one for that algorithm."""
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm.startswith("ES"):
        curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]
        return ECKey.generate_key(curve, parameters)
    if algorithm in ("EdDSA", "Ed25519"):
        return OKPKey.generate_key("Ed25519", parameters)
    return RSAKey.generate_key(2048, parameters)


# Making one takes a while.
FIRST_KEY = new_key("first")


def signed(header: dict[str, Any], claims: Claims, key: Key) -> str:
    """A token with that header and those claims, whatever they are, signed with the key."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    message = b".".join(parts)
    signature = jws.JWSRegistry.algorithms[header["alg"]].sign(message, key)
    return f"{message.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@dataclass
class Granted:
    """What a code stands for."""

    challenge: str
    nonce: str
    redirect_uri: str


@dataclass
class OpenIdProvider:
    """Who is `account` signs in. Everything may be changed between two requests."""

    issuer: str = ""
    account: Claims = field(default_factory=lambda: dict(ADA))
    secret: str | None = SECRET
    key: Key = field(default_factory=lambda: FIRST_KEY)
    published: list[Any] | None = None
    # Laid over what it would say: of itself, in the claims, in the token's header, on the way back to the client.
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str] = field(default_factory=dict)
    # Makes the ID token, if it is not to be signed as it should.
    make_token: Callable[[dict[str, Any], Claims], str] | None = None
    # Answers in place of an address, by its path.
    replies: dict[str, Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    codes: dict[str, Granted] = field(default_factory=dict)

    def app(self) -> Starlette:
        routes = {
            "/.well-known/openid-configuration": self.describe,
            "/jwks": self.publish,
            "/authorize": self.authorize,
            "/token": self.token,
        }
        methods = ["GET", "POST"]
        return Starlette(routes=[Route(path, self._noting(each), methods=methods) for path, each in routes.items()])

    def _noting(self, endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def noting(request: Request) -> Response:
            path = request.url.path
            self.asked.append(path)
            answer: Response = self.replies[path] if path in self.replies else await endpoint(request)
            return answer

        return noting

    async def describe(self, _: Request) -> Response:
        described = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        }
        return JSONResponse(described | self.metadata)

    async def publish(self, _: Request) -> Response:
        keys = self.published if self.published is not None else [self.key.as_dict(private=False)]
        return JSONResponse({"keys": keys})

    async def authorize(self, request: Request) -> Response:
        asked = request.query_params
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = Granted(asked["code_challenge"], asked["nonce"], asked["redirect_uri"])
        answer = {"code": code, "state": asked["state"]} | self.answer
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 303)

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        granted = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        wrong = granted is None or granted.challenge != challenge or granted.redirect_uri != form["redirect_uri"]
        if granted is None or wrong or not self._knows(request, form):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access_token = secrets.token_urlsafe(16)
        self.tokens.append(self.id_token(granted.nonce, access_token))
        return JSONResponse({"access_token": access_token, "token_type": "Bearer", "id_token": self.tokens[-1]})

    def _knows(self, request: Request, form: dict[str, str]) -> bool:
        if self.secret is None:
            return form["client_id"] == CLIENT_ID
        if "client_secret" in form:
            return (form["client_id"], form["client_secret"]) == (CLIENT_ID, self.secret)
        scheme, _, pair = request.headers["authorization"].partition(" ")
        name, _, secret = base64.b64decode(pair).decode().partition(":")
        return (scheme, unquote(name), unquote(secret)) == ("Basic", CLIENT_ID, self.secret)

    def id_token(self, nonce: str, access_token: str) -> str:
        now = int(time.time())
        digest = hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.account,
            **({"at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()} if self._is_sha256 else {}),
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.key.alg, "kid": self.key.kid, "typ": "JWT", **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        return self.make_token(header, claims) if self.make_token else signed(header, claims, self.key)

    @property
    def _is_sha256(self) -> bool:
        return str(self.key.alg).endswith("256")


@contextlib.asynccontextmanager
async def openid_provider() -> AsyncIterator[OpenIdProvider]:
    """The provider, on a port of this machine."""
    provider = OpenIdProvider()
    server = uvicorn.Server(uvicorn.Config(provider.app(), lifespan="off", log_config=None))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        provider.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield provider
        finally:
            server.should_exit = True
            await serving
