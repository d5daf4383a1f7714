"""Signatures of bundles: Ed25519 over the bytes of the payload as they stand in the file.

A file is `{"payload": …, "signature": {"algorithm": "ed25519", "key": …, "value": …}}`. What is signed are the bytes of
the payload's own JSON, with nothing brought into a canonical form: whoever formats a file anew breaks its signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# So that a signature made for anything else with the same key is none of a bundle.
_PURPOSE = b"collab-studio advisories 1\n"
_KEY_BYTES = 32


class SignatureError(ValueError):
    """The signature does not hold; the message is one sentence for people."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key` says which key made it (`key_id`), `value` is base64."""

    algorithm: Literal["ed25519"]
    key: str
    value: str


class Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    payload: msgspec.Raw
    signature: Signature


def read_key(text: str) -> bytes:
    """The 32 bytes of a key, which is written in base64. Raises ValueError."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError("A key is 32 bytes in base64, as `python -m analysis.advisories keygen` prints it.")
    return key


def key_id(public: bytes) -> str:
    """The name of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def new_key() -> tuple[str, str]:
    """A private key and its public half, both in base64."""
    private = Ed25519PrivateKey.generate()
    halves = private.private_bytes_raw(), private.public_key().public_bytes_raw()
    secret, public = (base64.b64encode(half).decode() for half in halves)
    return secret, public


def sign(payload: bytes, private: bytes) -> bytes:
    """The file for a payload of JSON."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    value = base64.b64encode(key.sign(_PURPOSE + payload)).decode()
    public = key.public_key().public_bytes_raw()
    signature = Signature(algorithm="ed25519", key=key_id(public), value=value)
    return b'{"payload":' + payload + b',"signature":' + msgspec.json.encode(signature) + b"}\n"


def verified_payload(file: bytes, trusted: Iterable[bytes]) -> tuple[bytes, str]:
    """The payload of a file and the name of the key that signed it. Raises SignatureError unless one of the public
    keys `trusted` did."""
    try:
        signed = msgspec.json.decode(file, type=Signed)
    except msgspec.DecodeError as error:
        raise SignatureError(f"This is no signed bundle of advisories: {error}.") from None
    key = next((public for public in trusted if key_id(public) == signed.signature.key), None)
    if key is None:
        raise SignatureError(f"The bundle is signed with the key {signed.signature.key!r}, which is not trusted here.")
    payload = bytes(signed.payload)
    try:
        value = base64.b64decode(signed.signature.value, validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(value, _PURPOSE + payload)
    except (binascii.Error, InvalidSignature):
        raise SignatureError("The bundle's signature does not hold: it was changed after it was signed.") from None
    return payload, signed.signature.key
