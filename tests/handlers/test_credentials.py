"""Secrets are long, different, and known by their fingerprints."""

import hashlib

from handlers.credentials import API_KEY_PREFIX, fingerprint, new_api_key, new_ticket, shown_part


def test_secrets_never_repeat() -> None:
    assert len({new_api_key() for _ in range(1000)} | {new_ticket() for _ in range(1000)}) == 2000
    assert len(new_api_key()) == len(API_KEY_PREFIX) + 43


def test_the_part_shown_tells_nothing_of_use() -> None:
    key = new_api_key()
    assert key.startswith(shown_part(key))
    assert len(shown_part(key)) == len(API_KEY_PREFIX) + 6


def test_a_fingerprint_is_that_of_the_bytes() -> None:
    assert fingerprint("csk_a") == hashlib.sha256(b"csk_a").digest()
    assert len(fingerprint("\ud800")) == 32
