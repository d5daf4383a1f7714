"""Signed tokens: who issues them, and what must hold before one is believed.

A token is a JWT. Which issuer looks at it is decided by its `iss` claim before anything is verified; that claim is
then verified by that issuer like every other. The server itself is one issuer; another kind, such as an OpenID
Connect provider with its published keys, is another class with the two members of `Issuer`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
from joserfc import errors, jwt
from joserfc.jwk import OctKey

from handlers.audit_trail import TOKEN_EXPIRED
from handlers.credentials import API_KEY_PREFIX, PUSH_KEY_PREFIX, TICKET_PREFIX, shown_part
from handlers.registry import NotAuthenticated

ALGORITHM = "HS256"
SERVER_ISSUER = "collab-studio"
# Whom our tokens are for. Other things that are signed with the same key say something else, and are no tokens.
AUDIENCE = "collab-studio"
# Ours are below 400 bytes; a provider's with groups reach some KiB. More is not worth a hash.
LONGEST_TOKEN = 16 * 1024
# Clocks of nodes drift by less than this; a token is never taken after its end because of it.
CLOCK_SKEW = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a verified token says: who (a user's id), until when, the token's own id, and of which session it is."""

    user_id: str
    expires_at: datetime
    token_id: str
    sid: str | None = None


class Issuer(Protocol):
    """Somebody whose tokens are believed."""

    name: str

    async def verify(self, token: str) -> Identity:
        """The token's identity; raises NotAuthenticated with the reason. May wait, for keys to be fetched."""


class ServerIssuer:
    """Tokens signed and verified with the server's own key."""

    name = SERVER_ISSUER

    def __init__(self, secret: str, now: Callable[[], datetime]) -> None:
        material = secret.encode()
        # Names the key without telling it, so that a token of another server is told from a forged one.
        self._kid = hashlib.sha256(b"collab-studio key id\0" + material).hexdigest()[:16]
        self._key = OctKey.import_key(material, {"kid": self._kid, "use": "sig", "alg": ALGORITHM})
        self._now = now

    def issue(self, user_id: str, lifetime: timedelta, sid: str | None = None) -> str:
        """A token for the user from now on for that long, in whole seconds; one of a session ends with it."""
        now = int(self._now().timestamp())
        claims = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": user_id,
            "iat": now,
            "exp": now + math.ceil(lifetime.total_seconds()),
            "jti": secrets.token_urlsafe(12),
            **({} if sid is None else {"sid": sid}),
        }
        return jwt.encode({"alg": ALGORITHM, "kid": self._kid}, claims, self._key, algorithms=[ALGORITHM])

    async def verify(self, token: str) -> Identity:
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            self._claims_registry().validate(decoded.claims)
        except errors.BadSignatureError:
            raise _refused(self._why_unsigned(token), account=_claimed(token)) from None
        except errors.ExpiredTokenError as error:
            raise _refused(_reason(error), noted=TOKEN_EXPIRED, account=_claimed(token)) from None
        except errors.JoseError as error:
            raise _refused(_reason(error)) from None
        except ValueError:
            raise _refused("it is not a well-formed token") from None
        return _identity(decoded.claims)

    def _claims_registry(self) -> _Claims:
        return _Claims(
            now=int(self._now().timestamp()),
            iss={"essential": True, "value": self.name},
            # Not essential: tokens of earlier releases name no audience, and hold until they end.
            aud={"value": AUDIENCE},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
        )

    def _why_unsigned(self, token: str) -> str:
        kid = peek(token, 0).get("kid")
        return (
            "its signature does not hold" if kid == self._kid else "it was signed with another key than this server's"
        )


class _Claims(jwt.JWTClaimsRegistry):
    """Strict about the end, lenient by the clock skew about the beginning."""

    def validate_iat(self, value: object) -> None:
        super().validate_iat(_earlier(value))

    def validate_nbf(self, value: object) -> None:
        super().validate_nbf(_earlier(value))


class Issuers:
    """The issuers that this server believes, by name."""

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}

    async def verify(self, token: str) -> Identity:
        """Raises NotAuthenticated; its message says why."""
        if len(token) > LONGEST_TOKEN:
            raise _refused(f"it is longer than {LONGEST_TOKEN} characters")
        claims = peek(token, 1)
        if not claims:
            raise _refused("it is not a well-formed token")
        issuer = self._issuers.get(str(claims.get("iss")))
        if issuer is None:
            raise _refused("it is from an issuer that this server does not know")
        return await issuer.verify(token)


def peek(token: str, part: int) -> dict[str, Any]:
    """The header (0) or claims (1) of a token that nobody has verified yet; {} where they cannot be read."""
    try:
        segment = token.split(".")[part].encode("ascii")
        value = msgspec.json.decode(base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))
    except (IndexError, UnicodeEncodeError, binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _identity(claims: dict[str, Any]) -> Identity:
    try:
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    except (OverflowError, ValueError, OSError):
        raise _refused("it never expires") from None
    sid = claims.get("sid")
    if not isinstance(sid, str | None):
        raise _refused("its claim sid is wrong")
    return Identity(claims["sub"], expires_at, claims["jti"], sid)


def _earlier(value: object) -> object:
    """A claimed time less the clock skew; what is no number is left for the check to refuse."""
    return value - CLOCK_SKEW.total_seconds() if type(value) in (int, float) else value  # type: ignore[operator]


def _reason(error: errors.JoseError) -> str:
    match error:
        case errors.ExpiredTokenError():
            return "it has expired"
        case errors.MissingClaimError():
            return f"its claim {error.claim} is missing"
        case errors.InvalidClaimError(claim="iat"):
            return "it was issued in the future"
        case errors.InvalidClaimError(claim="nbf"):
            return "it is not valid yet"
        case errors.ClaimError():
            return f"its claim {error.claim} is wrong"
        case errors.UnsupportedAlgorithmError() | errors.MissingAlgorithmError():
            return f"it is not signed with {ALGORITHM}"
        case _:
            return "it is not a well-formed token"


def _claimed(token: str) -> str | None:
    """Whom a token says it is of, whoever made it."""
    claimed = peek(token, 1).get("sub")
    return claimed if isinstance(claimed, str) else None


def name_in(credential: str) -> str | None:
    """Whose a credential that does not hold claims to be, or how a key begins; None for a ticket."""
    if credential.startswith((API_KEY_PREFIX, PUSH_KEY_PREFIX)):
        return shown_part(credential)
    return None if credential.startswith(TICKET_PREFIX) else _claimed(credential[:LONGEST_TOKEN])


def _refused(reason: str, *, noted: str | None = None, account: str | None = None) -> NotAuthenticated:
    message = f"The token is refused: {reason}."
    return NotAuthenticated(message, code="invalid_token", noted=noted, account=account)
