"""Secrets that the server hands out: API keys, push keys and tickets. Only their fingerprints are stored.

The secrets are 256 random bits, so one round of SHA-256 is enough: there is nothing to guess that salt or
stretching would slow down.
"""

from __future__ import annotations

import hashlib
import secrets

API_KEY_PREFIX = "csk_"
TICKET_PREFIX = "cst_"
PUSH_KEY_PREFIX = "csp_"

# How much of a key is shown in lists, so that people can tell which is which.
_SHOWN = len(API_KEY_PREFIX) + 6


def new_api_key() -> str:
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def new_push_key() -> str:
    return PUSH_KEY_PREFIX + secrets.token_urlsafe(32)


def new_ticket() -> str:
    return TICKET_PREFIX + secrets.token_urlsafe(32)


def new_sid() -> str:
    """What tokens of a new session carry. No secret: it is believed of who signed it."""
    return secrets.token_urlsafe(16)


def shown_part(key: str) -> str:
    """The beginning of a key, for lists."""
    return key[:_SHOWN]


def fingerprint(secret: str) -> bytes:
    """What is stored of a key or ticket, and what it is found by: 32 bytes."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
