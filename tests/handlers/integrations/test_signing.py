"""Signatures that receivers can verify by the specification alone."""

from __future__ import annotations

import base64

import pytest

from handlers.integrations.signing import PREFIX, new_secret, signature, signed_headers


def test_the_specifications_own_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_headers() -> None:
    headers = signed_headers(new_secret(), "msg_1", 7, b"x")
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", "7")
    assert headers["webhook-signature"].startswith("v1,")


def test_secrets() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert one.startswith(PREFIX)
    assert len(base64.b64decode(one.removeprefix(PREFIX))) == 32
    assert signature(one, "m", 1, b"") != signature(other, "m", 1, b"")
    with pytest.raises(ValueError, match="not Base64"):
        signature("whsec_!", "m", 1, b"")
