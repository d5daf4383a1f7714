"""A sign-in that is under way: kept in a cookie of the browser that began it, so that any node may end it.

The cookie is sealed. Whoever comes back with another browser, or with none of it, did not begin this sign-in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

import msgspec

from server.openid.failures import SignInFailed, Told
from storage.errors import StorageError
from storage.sealing import Sealer

# Long enough to look for one's second factor.
LIFETIME = timedelta(minutes=10)
_PURPOSE = "openid sign-in"


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """What must be known when the browser comes back. `challenge` and `client_state` are the client's own."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    challenge: str
    client_state: str | None
    began_at: float


def begin(return_to: str, challenge: str, client_state: str | None, now: datetime) -> Attempt:
    """A new one, with 256 random bits for each secret."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Attempt(state, nonce, verifier, return_to, challenge, client_state, now.timestamp())


def challenge_of(verifier: str) -> str:
    """RFC 7636: the S256 challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class Attempts:
    """Makes cookies of attempts and reads them, with one key on all nodes."""

    def __init__(self, signing_secret: str, public_url: str) -> None:
        self._sealer = Sealer(signing_secret.encode())
        self._is_encrypted = public_url.startswith("https:")
        # The prefix makes browsers refuse one that a neighbouring host or an unencrypted page set.
        self.cookie_name = f"{'__Host-' if self._is_encrypted else ''}studio-sign-in"

    def cookie(self, attempt: Attempt) -> str:
        """The header that keeps the attempt. A browser keeps one: who begins anew gives up the one before."""
        sealed = base64.urlsafe_b64encode(self._sealer.seal(msgspec.msgpack.encode(attempt), _PURPOSE)).decode()
        return self._header(sealed, int(LIFETIME.total_seconds()))

    def no_cookie(self) -> str:
        """The header that forgets it."""
        return self._header("", 0)

    def _header(self, value: str, seconds: int) -> str:
        # Lax: the provider sends the browser here from elsewhere, by following an address.
        attributes = f"Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{'; Secure' if self._is_encrypted else ''}"
        return f"{self.cookie_name}={value}; {attributes}"

    def read(self, cookie: str | None, state: str, now: datetime) -> Attempt:
        """The attempt that the browser began with this state, not long ago. Raises SignInFailed."""
        if not cookie:
            raise _start_again("no_cookie", "the browser did not begin this sign-in, or keeps no cookies")
        try:
            sealed = base64.urlsafe_b64decode(cookie.encode("ascii"))
            attempt = msgspec.msgpack.decode(self._sealer.open(sealed, _PURPOSE), type=Attempt)
        except (UnicodeEncodeError, binascii.Error, StorageError, msgspec.DecodeError):
            raise _start_again("bad_cookie", "the cookie is none of ours") from None
        if not hmac.compare_digest(attempt.state.encode(), state.encode()):
            raise _start_again("bad_state", "the state is of another sign-in")
        age = now.timestamp() - attempt.began_at
        if not -60 <= age <= LIFETIME.total_seconds():
            raise _start_again("too_late", "the sign-in took too long")
        return attempt


def _start_again(reason: str, detail: str) -> SignInFailed:
    return SignInFailed(reason, Told.START_AGAIN, detail)
