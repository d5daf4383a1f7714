"""A bundle is taken only as its signer made it, from a key that is trusted, and never in place of a newer one."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest

from analysis.advisories import bundles, signing
from analysis.advisories.bundles import BundleError
from analysis.advisories.records import Bundle
from tests.analysis.advisories.making import DATED, advisory, affected, bundle, event

SECRET, PUBLIC = signing.new_key()
TRUSTED = [signing.read_key(PUBLIC)]


def signed(made: Bundle, secret: str = SECRET) -> bytes:
    return signing.sign(msgspec.json.encode(made), signing.read_key(secret))


def test_a_signed_bundle_is_read_as_it_was_made() -> None:
    made = bundle(advisory("CVE-1", affected(event("15"), event(fixed="15.19"))))

    read = bundles.read(signed(made), TRUSTED)

    assert read.bundle == made
    assert read.key == signing.key_id(TRUSTED[0])


def test_each_changed_byte_of_the_payload_is_seen() -> None:
    file = signed(bundle())
    at = file.index(b'"version":5')

    changed = file[:at] + b'"version":6' + file[at + 11 :]

    with pytest.raises(BundleError, match="signature does not hold"):
        bundles.read(changed, TRUSTED)


def test_another_keys_signature_is_refused() -> None:
    other, _ = signing.new_key()

    with pytest.raises(BundleError, match="not trusted here"):
        bundles.read(signed(bundle(), other), TRUSTED)


def test_a_signature_under_a_trusted_keys_name_by_another_key_is_refused() -> None:
    other, public = signing.new_key()
    file = signed(bundle(), other).replace(
        signing.key_id(signing.read_key(public)).encode(), signing.key_id(TRUSTED[0]).encode()
    )

    with pytest.raises(BundleError, match="signature does not hold"):
        bundles.read(file, TRUSTED)


@pytest.mark.parametrize("file", [b"", b"{}", b"[]", b'{"payload":{}}', b"\xff\xfe"])
def test_an_unsigned_file_is_refused(file: bytes) -> None:
    with pytest.raises(BundleError, match="no signed bundle"):
        bundles.read(file, TRUSTED)


def test_a_bundle_of_another_form_is_refused_though_it_is_signed() -> None:
    file = signing.sign(b'{"format":2}', signing.read_key(SECRET))

    with pytest.raises(BundleError, match="not of the form"):
        bundles.read(file, TRUSTED)


def test_a_vector_that_is_none_is_refused() -> None:
    payload = msgspec.json.encode(bundle(advisory("CVE-1", affected(event("15"))))).replace(b"AV:N", b"AV:Q")

    with pytest.raises(BundleError, match="no vector of CVSS_V3"):
        bundles.read(signing.sign(payload, signing.read_key(SECRET)), TRUSTED)


@pytest.mark.parametrize(
    ("version", "dated", "problem"),
    [
        (5, DATED, "version 5 is held already"),
        (4, DATED + timedelta(days=1), "version 5 is held already"),
        (6, DATED - timedelta(days=1), "one of 2026-08-30 is held already"),
        (6, date(2026, 9, 20), "which is not yet"),
    ],
)
def test_only_a_newer_bundle_takes_the_place_of_one(version: int, dated: date, problem: str) -> None:
    with pytest.raises(BundleError, match=problem):
        bundles.refuse_unless_newer(bundle(version=version, dated=dated), bundle(), date(2026, 9, 10))


def test_a_newer_bundle_does() -> None:
    bundles.refuse_unless_newer(bundle(version=6), bundle(), DATED)
