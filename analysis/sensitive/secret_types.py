"""What opens something: keys, tokens, passwords."""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter

from analysis.sensitive.detectors import TEXTS, Detector, found_in, shaped
from analysis.sensitive.findings import Category

_JWT = re.compile(r"(eyJ[A-Za-z0-9_-]{8,})\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")


def _is_jwt(value: str) -> bool:
    match = _JWT.fullmatch(value.removeprefix("Bearer "))
    if match is None:
        return False
    try:
        head = json.loads(base64.urlsafe_b64decode(match.group(1) + "=" * (-len(match.group(1)) % 4)))
    except ValueError:
        return False
    return isinstance(head, dict) and "alg" in head


# Prefixes that their makers gave them so that they are found.
_KEYS = (
    r"A(?:KIA|SIA)[A-Z0-9]{16}|gh[opusr]_[A-Za-z0-9]{36,}|github_pat_\w{60,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|sk-(?:proj-|ant-)?[\w-]{20,}|hf_[A-Za-z0-9]{30,}|dop_v1_[a-f0-9]{64}|shp(?:at|ca|pa|ss)_[a-f0-9]{32}"
    r"|key-[a-f0-9]{32}|EAACEdEose0cBA\w+|hvs\.[\w-]{24,}|dapi[a-f0-9]{32}"
)
_HASHED = (
    r"\$2[abxy]?\$\d{2}\$[./A-Za-z0-9]{53}|\$argon2(?:id|i|d)\$\S{20,}|\$[156]\$\S{8,}|\$pbkdf2\S{20,}|pbkdf2_sha\d+\$\S{20,}"
    r"|scrypt:\S{20,}|SCRAM-SHA-256\$\S{20,}|\{SSHA\}\S{20,}"
)


def entropy_per_character(value: str) -> float:
    """Shannon's, in bits, over the characters of the value."""
    counts = Counter(value)
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())


def _is_random(value: str) -> bool:
    """Long, without spaces, and with as many different characters as chance gives, not words."""
    if not 16 <= len(value) <= 512 or re.fullmatch(r"[!-~]+", value) is None:
        return False
    limit = 3.0 if re.fullmatch(r"[0-9a-fA-F]+", value) else 3.5
    return entropy_per_character(value) >= limit and not value.isalpha()


SECRET_TYPES = (
    Detector(
        "private_key",
        "Private key",
        Category.SECRET,
        TEXTS,
        strong=("private key", "ssh key", "rsa key", "pem"),
        check=found_in(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
        base_rate=1e-6,
    ),
    Detector(
        "jwt",
        "JSON web token",
        Category.SECRET,
        TEXTS,
        strong=("jwt", "id token", "access token", "bearer token", "session token"),
        weak=("token",),
        check=_is_jwt,
        base_rate=1e-6,
    ),
    Detector(
        "api_key",
        "Key of a service",
        Category.SECRET,
        TEXTS,
        strong=("api key", "access key", "secret key", "api token", "access token", "auth token"),
        weak=("token", "secret", "credential", "credentials"),
        check=found_in(rf"(?<![A-Za-z0-9_-])(?:{_KEYS})(?![A-Za-z0-9])"),
        base_rate=1e-6,
    ),
    Detector(
        "password_hash",
        "Hash of a password",
        Category.SECRET,
        TEXTS,
        strong=("password", "password hash", "hashed password", "pass hash"),
        check=shaped(_HASHED),
        base_rate=1e-6,
    ),
    Detector(
        "connection_string",
        "Address with a password",
        Category.SECRET,
        TEXTS,
        strong=("connection string", "database url", "dsn", "conn string", "connection url"),
        check=found_in(
            r"[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,64}:[^\s:/@]{1,128}@|(?:password|pwd)\s{0,3}=\s{0,3}[^;\s]{3,}",
            re.IGNORECASE,
        ),
        base_rate=1e-5,
    ),
    Detector(
        "secret",
        "Random secret",
        Category.SECRET,
        TEXTS,
        strong=(
            "secret",
            "api key",
            "secret key",
            "access key",
            "auth token",
            "token",
            "client secret",
            "credential",
            "credentials",
        ),
        check=_is_random,
        base_rate=0.3,
        typical=0.9,
        most_evidence=0.7,
        needs_name=True,
    ),
    Detector(
        "password",
        "Password",
        Category.SECRET,
        TEXTS,
        strong=("password", "secret password", "passcode", "pin code"),
        check=shaped(r"\S{4,128}"),
        base_rate=0.8,
        typical=0.95,
        most_evidence=0.5,
        needs_name=True,
    ),
)
