"""The public keys of a provider, and which of them may verify a signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc import errors
from joserfc.jwk import ECKey, OKPKey, RSAKey

from server.openid.failures import unavailable

Key = RSAKey | ECKey | OKPKey

# Providers publish two or three; each that is looked at costs some tens of microseconds.
MOST_KEYS = 50
# A token that does not say which key it is signed with is tried with so many.
MOST_TRIED = 5
LONGEST_KID = 200
SMALLEST_RSA_BITS = 2048
# The kind of key that an algorithm goes with. What is not here is not believed: no shared secret, nothing unsigned.
KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
_CLASSES: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_PUBLIC = ("kty", "n", "e", "crv", "x", "y")


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key as the provider publishes it. `algorithm` is the only one that it is for, None if it does not say."""

    kid: str | None
    kind: tuple[str, str | None]
    algorithm: str | None
    key: Key


class PublishedKeys:
    """All keys of a provider at one time."""

    def __init__(self, keys: Sequence[PublishedKey]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def that_may_verify(self, algorithm: str, kid: str | None) -> list[Key]:
        """The keys that are for the algorithm and have this id, or any where none is named."""
        kind = KINDS.get(algorithm)
        found = [
            each.key
            for each in self._keys
            if each.kind == kind and each.algorithm in (None, algorithm) and kid in (None, each.kid)
        ]
        return found[:MOST_TRIED]


class _Document(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


def read_keys(document: bytes) -> PublishedKeys:
    """The keys of a JWK Set that can verify signatures; others are passed over. Raises SignInFailed."""
    try:
        entries = msgspec.json.decode(document, type=_Document).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unavailable(f"the provider's keys cannot be read: {error}") from None
    return PublishedKeys([key for entry in entries[:MOST_KEYS] if (key := _read(entry)) is not None])


def _read(entry: dict[str, Any]) -> PublishedKey | None:
    kid, kind = entry.get("kid"), (entry.get("kty"), entry.get("crv") if entry.get("kty") != "RSA" else None)
    if entry.get("use", "sig") != "sig" or kind not in KINDS.values() or not isinstance(kid, str | None):
        return None
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    algorithm = entry.get("alg")
    if algorithm is not None and KINDS.get(str(algorithm)) != kind:
        return None
    # Each letter is six bits of the modulus, and a weak one is not even imported.
    if kind[0] == "RSA" and len(str(entry.get("n", ""))) * 6 < SMALLEST_RSA_BITS:
        return None
    try:
        # Without what else stands there: a private part, or certificates that nobody looks at.
        key = _CLASSES[str(kind[0])].import_key({name: entry[name] for name in _PUBLIC if name in entry})
    except (errors.JoseError, ValueError, TypeError):
        return None
    return PublishedKey(kid, (str(kind[0]), kind[1]), algorithm, key)
