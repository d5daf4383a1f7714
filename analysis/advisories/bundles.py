"""Reading a bundle: its signature first, then its form, then all of its versions and vectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib import resources

import msgspec

from analysis.advisories import scores, signing
from analysis.advisories.records import Bundle

# The public half of the key that signs the bundle of each release.
RELEASE_KEY = "mxFvhuRBVDqmH7PHzWr6mtz9dczm05Fjv/z86aNIAPc="
_SHIPPED = "shipped.json"
MAX_BYTES = 16 * 1024 * 1024


class BundleError(ValueError):
    """The file is not taken; the message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Read:
    """A bundle that is what its signer made; `key` names the key."""

    bundle: Bundle
    key: str


def read(file: bytes, trusted: Iterable[bytes]) -> Read:
    """The bundle in a signed file. Raises BundleError."""
    if len(file) > MAX_BYTES:
        raise BundleError(f"A bundle of advisories has at most {MAX_BYTES} bytes; this has {len(file)}.")
    try:
        payload, key = signing.verified_payload(file, trusted)
        return Read(decode(payload), key)
    except signing.SignatureError as error:
        raise BundleError(str(error)) from None


def decode(payload: bytes) -> Bundle:
    """The bundle in a payload whose signature was seen to. Raises BundleError."""
    try:
        bundle = msgspec.json.decode(payload, type=Bundle)
        for advisory in bundle.advisories:
            for severity in (*advisory.severity, *(one for part in advisory.affected for one in part.severity)):
                scores.base_score(severity)
    except (msgspec.DecodeError, ValueError) as error:
        raise BundleError(f"The bundle is not of the form that is asked for: {error}") from None
    return bundle


def refuse_unless_newer(new: Bundle, held: Bundle, today: date) -> None:
    """Raises BundleError for an older bundle, which would hide what is known already, and for one of the future,
    which would seem fresh for longer than it is."""
    if new.version <= held.version:
        raise BundleError(f"The bundle has version {new.version}, and version {held.version} is held already.")
    if new.dated < held.dated:
        raise BundleError(f"The bundle is of {new.dated}, and one of {held.dated} is held already.")
    if new.dated > today:
        raise BundleError(f"The bundle is of {new.dated}, which is not yet.")


def release_key() -> bytes:
    return signing.read_key(RELEASE_KEY)


def shipped_file() -> bytes:
    """The signed file that this release came with."""
    return resources.files("analysis.advisories").joinpath(_SHIPPED).read_bytes()


def shipped() -> Read:
    return read(shipped_file(), [release_key()])
