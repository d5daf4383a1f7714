"""Signed tokens: what is believed, and the reason given for everything else."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey

from handlers.registry import NotAuthenticated
from server.tokens import AUDIENCE, LONGEST_TOKEN, SERVER_ISSUER, Identity, Issuers, ServerIssuer, peek

SECRET = "a secret for tests, long enough to sign with"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {"iss": SERVER_ISSUER, "sub": "ada", "iat": START, "exp": START + 60, "jti": "x"}


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def issuers(clock: Clock | None = None) -> Issuers:
    return Issuers([ServerIssuer(SECRET, clock or Clock())])


def verify(token: str, clock: Clock | None = None) -> Identity:
    return asyncio.run(issuers(clock).verify(token))


def reason(token: str, clock: Clock | None = None) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        verify(token, clock)
    assert caught.value.code == "invalid_token"
    return caught.value.message.removeprefix("The token is refused: ").removesuffix(".")


def signed(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    key = OctKey.import_key(secret)
    return jwt.encode({"alg": algorithm, **header}, dict(claims), key, algorithms=[algorithm])


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join([*parts, signature])


def test_a_token_names_its_user_its_end_and_itself() -> None:
    token = ServerIssuer(SECRET, Clock()).issue("ada", timedelta(hours=1))
    identity = verify(token)
    assert (identity.user_id, identity.expires_at) == ("ada", NOW + timedelta(hours=1))
    assert len(identity.token_id) >= 16
    assert peek(token, 0)["alg"] == "HS256"
    assert set(peek(token, 1)) == {"iss", "aud", "sub", "iat", "exp", "jti"}


def test_two_tokens_of_one_moment_differ() -> None:
    issuer = ServerIssuer(SECRET, Clock())
    assert issuer.issue("ada", timedelta(hours=1)) != issuer.issue("ada", timedelta(hours=1))


def test_the_key_id_names_the_key_without_telling_it() -> None:
    one, two = (ServerIssuer(secret, Clock()).issue("ada", timedelta(1)) for secret in (SECRET, SECRET + "!"))
    assert peek(one, 0)["kid"] != peek(two, 0)["kid"]
    assert SECRET not in peek(one, 0)["kid"]


def test_a_token_ends_on_the_second() -> None:
    clock = Clock()
    token = ServerIssuer(SECRET, clock).issue("ada", timedelta(seconds=60))
    clock.at = NOW + timedelta(seconds=59)
    assert verify(token, clock).user_id == "ada"
    clock.at = NOW + timedelta(seconds=60)
    assert reason(token, clock) == "it has expired"


def test_clocks_of_other_nodes_may_be_a_little_ahead() -> None:
    assert verify(signed({**CLAIMS, "iat": START + 9, "nbf": START + 9})).user_id == "ada"
    assert reason(signed({**CLAIMS, "iat": START + 11})) == "it was issued in the future"
    assert reason(signed({**CLAIMS, "nbf": START + 11})) == "it is not valid yet"


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_the_right_key(algorithm: str) -> None:
    assert reason(signed(CLAIMS, algorithm=algorithm)) == "it is not signed with HS256"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", "RS256", "ES256", "HS257"])
def test_no_signature_is_no_signature_however_it_is_spelt(name: str) -> None:
    assert reason(unsigned({"alg": name}, CLAIMS)) == "it is not signed with HS256"


def test_an_asymmetric_signature_is_refused() -> None:
    key = RSAKey.generate_key(2048)
    token = jwt.encode({"alg": "RS256"}, dict(CLAIMS), key, algorithms=["RS256"])
    assert reason(token) == "it is not signed with HS256"


def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    theirs = OctKey.import_key("their own key, which they would like us to take")
    token = jwt.encode({"alg": "HS256", "jwk": theirs.as_dict()}, dict(CLAIMS), theirs, algorithms=["HS256"])
    assert "another key" in reason(token)
    for header in ({"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/"}, {"kid": "../../../dev/null"}):
        assert "another key" in reason(signed(CLAIMS, "their own key, which they would like us to take", **header))


def test_another_servers_token_and_a_forged_one_are_told_apart() -> None:
    token = ServerIssuer(SECRET, Clock()).issue("ada", timedelta(hours=1))
    other = ServerIssuer("the secret of another server, also long enough", Clock()).issue("ada", timedelta(hours=1))
    head, claims, signature = token.split(".")
    forged = unsigned(peek(token, 0), {**peek(token, 1), "sub": "admin"}, signature)
    assert reason(other) == "it was signed with another key than this server's"
    assert reason(forged) == "its signature does not hold"
    assert reason(f"{head}.{claims}.{'A' * len(signature)}") == "its signature does not hold"
    assert reason(f"{head}.{claims}.") == "its signature does not hold"


@pytest.mark.parametrize("name", ["sub", "iat", "exp", "jti"])
def test_a_claim_that_is_missing_is_named(name: str) -> None:
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    assert reason(signed(claims)) == f"its claim {name} is missing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sub", 7),
        ("sub", ""),
        ("sub", ["ada"]),
        ("jti", 7),
        ("exp", "tomorrow"),
        ("exp", True),
        ("exp", float("nan")),
        ("exp", float("inf")),
        ("iat", "now"),
        ("iat", True),
        ("nbf", {}),
    ],
)
def test_a_claim_of_another_kind_is_refused(name: str, value: object) -> None:
    assert reason(signed({**CLAIMS, name: value}))


def test_a_token_for_ever_is_refused() -> None:
    assert reason(signed({**CLAIMS, "exp": 10**30})) == "it never expires"


@pytest.mark.parametrize("name", ["somebody-else", "", ["collab-studio"], None, {"collab-studio": 1}])
def test_an_unknown_issuer_is_refused(name: object) -> None:
    assert reason(signed({**CLAIMS, "iss": name})) == "it is from an issuer that this server does not know"


def test_claims_of_no_object_are_refused() -> None:
    key = OctKey.import_key(SECRET)
    for payload in (b"[]", b'"x"', b"7", b"{", b"\xff"):
        assert reason(jws.serialize_compact({"alg": "HS256"}, payload, key)) == "it is not a well-formed token"


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b.c", "ä.ö.ü", "\x00", "\ud800", "eyJ", "e30.e30.e30"])
def test_garbage_is_refused(token: str) -> None:
    assert reason(token)


def test_a_token_of_any_length_costs_no_more_than_its_limit() -> None:
    assert "longer than" in reason("a" * (LONGEST_TOKEN + 1))
    assert reason(signed({**CLAIMS, "x": "y" * (LONGEST_TOKEN // 2)}, "another secret that is not the server's"))


@given(st.text(max_size=300))
def test_no_text_at_all_does_more_than_be_refused(text: str) -> None:
    assert reason(text)


@given(position=st.integers(min_value=0), letter=st.sampled_from("ABCabc012-_.=~ "))
def test_a_token_with_a_letter_changed_is_refused_or_means_the_same(position: int, letter: str) -> None:
    token = ServerIssuer(SECRET, Clock()).issue("ada", timedelta(hours=1))
    at = position % len(token)
    changed = token[:at] + letter + token[at + 1 :]
    try:
        identity = verify(changed)
    except NotAuthenticated:
        return
    # The last letter of a base64 part holds bits that mean nothing.
    assert identity == verify(token)


def test_another_issuer_is_another_class_with_two_members() -> None:
    class Provider:
        name = "https://login.example"

        async def verify(self, token: str) -> Identity:
            return Identity(peek(token, 1)["sub"] + "@example", NOW, "y")

    both = Issuers([ServerIssuer(SECRET, Clock()), Provider()])
    token = unsigned({"alg": "none"}, {"iss": "https://login.example", "sub": "ada"})
    assert asyncio.run(both.verify(token)).user_id == "ada@example"
    assert asyncio.run(both.verify(signed(CLAIMS))).user_id == "ada"


def test_what_is_signed_for_somebody_else_is_no_token() -> None:
    """Tokens of earlier releases name no audience; what names another one is something else, signed with our key."""
    verify(signed(CLAIMS))
    verify(signed({**CLAIMS, "aud": AUDIENCE}))
    for audience in ("collab-studio/state", "", ["somebody"], 7):
        assert reason(signed({**CLAIMS, "aud": audience})) == "its claim aud is wrong"


def test_a_session_is_named_by_a_text() -> None:
    assert verify(signed({**CLAIMS, "sid": "x"})).sid == "x"
    assert reason(signed({**CLAIMS, "sid": 7})) == "its claim sid is wrong"
