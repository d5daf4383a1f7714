"""What must not let anybody in, tried over a whole sign-in with a provider that really sends it."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc.jwk import Key, RSAKey
from openid_nodes import APP, HERE, World, code_of, openid_nodes
from openid_provider import CLIENT_ID, FIRST_KEY, OpenIdProvider, new_key, signed

from server.openid.keys import KINDS

Body = Callable[[World], Awaitable[None]]
Change = Callable[[OpenIdProvider], None]
# An issuer that ours is a beginning of.
ELSEWHERE = "https://evil.test"


def in_world(body: Body, url: str, folder: Path, *, nodes: int = 1, **settings: Any) -> None:
    async def run() -> None:
        async with openid_nodes(url, folder, nodes=nodes, **settings) as world:
            await body(world)

    asyncio.run(run())


def claims(**changes: Any) -> Change:
    return lambda provider: provider.claims.update(changes)


def header(**changes: Any) -> Change:
    return lambda provider: provider.header.update(changes)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def part(value: dict[str, Any]) -> str:
    return encoded(json.dumps(value).encode())


def unsigned(spelt: str) -> Change:
    def change(provider: OpenIdProvider) -> None:
        provider.make_token = lambda header, claims: f"{part({**header, 'alg': spelt})}.{part(claims)}."

    return change


def signed_with_the_public_key(form: str) -> Change:
    """HS256 with what everybody can read as the secret."""

    def change(provider: OpenIdProvider) -> None:
        described = json.dumps(provider.key.as_dict(private=False)).encode()
        assert isinstance(provider.key, RSAKey)
        public = provider.key.as_pem(private=False) if form == "PEM" else described

        def make(header: dict[str, Any], claims: dict[str, Any]) -> str:
            message = f"{part({**header, 'alg': 'HS256'})}.{part(claims)}"
            return f"{message}.{encoded(hmac.digest(public, message.encode(), 'sha256'))}"

        provider.make_token = make

    return change


def signed_by_another(provider: OpenIdProvider) -> None:
    other = new_key(str(provider.key.kid))
    provider.make_token = lambda header, claims: signed(header, claims, other)


def brings_its_own_key(provider: OpenIdProvider) -> None:
    other = new_key("mine")
    own = other.as_dict(private=False)
    provider.make_token = lambda header, claims: signed({**header, "kid": "mine", "jwk": own}, claims, other)


def changed_after_signing(provider: OpenIdProvider) -> None:
    def make(header: dict[str, Any], claims: dict[str, Any]) -> str:
        head, _, signature = signed(header, claims, provider.key).split(".")
        return f"{head}.{part({**claims, 'sub': 'somebody else'})}.{signature}"

    provider.make_token = make


def now() -> int:
    return int(time.time())


TOKENS: dict[str, tuple[Change, str]] = {
    "no signature": (unsigned("none"), "bad_algorithm"),
    "no signature, in capitals": (unsigned("NONE"), "bad_algorithm"),
    "the public key as a secret, PEM": (signed_with_the_public_key("PEM"), "bad_algorithm"),
    "the public key as a secret, JWK": (signed_with_the_public_key("JWK"), "bad_algorithm"),
    "another's signature under a known id": (signed_by_another, "bad_signature"),
    "a key that comes along": (brings_its_own_key, "unknown_key"),
    "changed after it was signed": (changed_after_signing, "bad_signature"),
    "a path as a key id": (header(kid="../../../../dev/null"), "unknown_key"),
    "SQL as a key id": (header(kid="' UNION SELECT 'x"), "unknown_key"),
    "a huge key id": (header(kid="k" * 3000), "bad_key_id"),
    "a key id that is no text": (header(kid=7), "bad_key_id"),
    "a critical header that nobody knows": (header(crit=["exp2"], exp2=1), "bad_token"),
    "another issuer": (claims(iss=ELSEWHERE), "bad_iss"),
    "an issuer that begins as ours": (lambda p: p.claims.update(iss=p.issuer + ".evil.test"), "bad_iss"),
    "no issuer": (claims(iss=None), "bad_iss"),
    "for another client": (claims(aud="another"), "bad_aud"),
    "for nobody": (claims(aud=None), "bad_aud"),
    "for us among others, got by another": (claims(aud=[CLIENT_ID, "another"], azp="another"), "bad_azp"),
    "for us among others, got by nobody": (claims(aud=[CLIENT_ID, "another"]), "bad_azp"),
    "got by another": (claims(azp="another"), "bad_azp"),
    "expired": (lambda p: p.claims.update(exp=now() - 61), "expired"),
    "without an end": (claims(exp=None), "bad_exp"),
    "an end that is no number": (claims(exp="tomorrow"), "bad_exp"),
    "from the future": (lambda p: p.claims.update(iat=now() + 90), "bad_iat"),
    "from yesterday": (lambda p: p.claims.update(iat=now() - 86400), "bad_iat"),
    "not valid yet": (lambda p: p.claims.update(nbf=now() + 90), "bad_nbf"),
    "of another sign-in": (claims(nonce="another"), "bad_nonce"),
    "of no sign-in": (claims(nonce=None), "bad_nonce"),
    "with another access token": (claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "bad_at_hash"),
    "about nobody": (claims(sub=None), "bad_sub"),
    "about an empty name": (claims(sub=""), "bad_sub"),
    "about a list": (claims(sub=["248289761001"]), "bad_sub"),
    "too long": (claims(filler="x" * 70_000), "bad_token"),
    "no token": (lambda p: setattr(p, "make_token", lambda header, claims: "not a token"), "bad_algorithm"),
}


def test_tokens_that_do_not_hold(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        provider, browser = world.provider, world.browser()
        for name, (change, reason) in TOKENS.items():
            provider.claims, provider.header, provider.make_token = {}, {}, None
            change(provider)
            ended = await browser.ended()
            assert ended.status_code == 502, (name, await world.refusals())
            assert "location" not in ended.headers, name
            # Nothing of what was wrong is told to whoever tries.
            assert reason not in ended.text, name
            assert (await world.refusals())[-1] == reason, name
        # Each was refused for what it was: as it should be, all goes well.
        provider.claims, provider.header, provider.make_token = {}, {}, None
        assert (await browser.sign_in())["user_id"] == "ada"
        # None of the made-up ids made the server ask for the keys without end.
        assert provider.asked.count("/jwks") <= 4

    in_world(body, sqlite_url, tmp_path)


def test_each_algorithm_that_is_allowed_works(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        provider, browser = world.provider, world.browser()
        keys: dict[str, Key]
        # One RSA key serves all algorithms of its kind: making one takes a while.
        keys = {algorithm: new_key(algorithm, algorithm) for algorithm in KINDS if algorithm[:2] not in ("RS", "PS")}
        rsa = FIRST_KEY.as_dict(private=True)
        for algorithm in (each for each in KINDS if each not in keys):
            keys[algorithm] = RSAKey.import_key({**rsa, "kid": algorithm, "alg": algorithm})
        provider.published = [key.as_dict(private=False) for key in keys.values()]
        for provider.key in keys.values():
            assert (await browser.sign_in())["user_id"] == "ada"
        # A key is for the algorithm that it is published for, and for no other of its kind.
        provider.key, provider.header = keys["PS256"], {"kid": "RS256"}
        assert (await browser.ended()).status_code == 502
        assert (await world.refusals())[-1] == "unknown_key"

    in_world(body, sqlite_url, tmp_path)


def test_only_announced_algorithms(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        world.provider.metadata = {"id_token_signing_alg_values_supported": ["ES256"]}
        assert (await world.browser().ended()).status_code == 502
        assert await world.refusals() == ["bad_algorithm"]

    in_world(body, sqlite_url, tmp_path)


def test_states_and_codes_are_good_once_on_all_nodes(database_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        await browser.begin()
        kept = dict(browser.client.cookies)
        callback = await browser.callback()
        kept = dict(browser.client.cookies)
        ended = await browser.client.get(callback)
        # The browser has forgotten it, and somebody who kept all of it comes to the other node.
        browser.node = 1
        assert (await browser.client.get(callback)).status_code == 400
        for name, value in kept.items():
            browser.client.cookies.set(name, value, domain="studio.test")
        assert (await browser.client.get(callback)).status_code == 400
        assert set(await world.refusals()) == {"no_cookie", "state_replayed"}
        code = code_of(ended)
        answers = await asyncio.gather(*(browser.exchange(code) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
        refused = next(answer for answer in answers if answer.status_code == 400)
        assert refused.json()["code"] == "invalid_grant"

    in_world(body, database_url, tmp_path, nodes=2)


def test_a_code_is_worth_nothing_to_whoever_did_not_begin(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser, thief = world.browser(), world.browser()
        code = code_of(await browser.ended())
        assert (await thief.exchange(code)).status_code == 400
        # Nor is there a second try.
        assert (await browser.exchange(code)).status_code == 400
        bodies: list[Any] = [{}, {"code": code}, {"code": code, "code_verifier": "short"}, [], "x"]
        for wrong in bodies:
            assert (await browser.client.post(f"{HERE}/auth/token", json=wrong)).status_code == 400
        form = await browser.client.post(f"{HERE}/auth/token", content="code=x", headers={"content-type": "text/plain"})
        assert form.status_code == 400

    in_world(body, sqlite_url, tmp_path)


def test_nobody_is_signed_in_as_another_by_an_address(sqlite_url: str, tmp_path: Path) -> None:
    """Login CSRF: the attacker's own answer, followed by the victim, who has begun nothing, or something else."""

    async def body(world: World) -> None:
        attacker, victim = world.browser(), world.browser()
        address = await attacker.callback()
        assert (await victim.client.get(address)).status_code == 400
        await victim.begin()
        assert (await victim.client.get(address)).status_code == 400
        victim.client.cookies.set("__Host-studio-sign-in", "bm90IG9mIG91cnM=", domain="studio.test")
        assert (await victim.client.get(address)).status_code == 400
        assert set(await world.refusals()) == {"no_cookie", "bad_state", "bad_cookie"}

    in_world(body, sqlite_url, tmp_path)


def test_answers_of_another_provider_are_not_mixed_up(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        world.provider.answer = {"iss": ELSEWHERE}
        assert (await browser.ended()).status_code == 502
        assert world.provider.tokens == []
        world.provider.answer = {"iss": world.provider.issuer}
        assert (await browser.ended()).status_code == 303
        world.provider.answer = {"error": "access_denied", "error_description": "<script>"}
        denied = await browser.ended()
        assert (denied.status_code, "script>" in denied.text) == (400, False)
        assert await world.refusals() == ["mix_up", "provider_refused"]

    in_world(body, sqlite_url, tmp_path)


def test_a_provider_that_says_it_names_itself_has_to(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        world.provider.metadata = {"authorization_response_iss_parameter_supported": True}
        assert (await world.browser().ended()).status_code == 502
        assert await world.refusals() == ["mix_up"]

    in_world(body, sqlite_url, tmp_path)


RETURNS = [
    None,
    "",
    "/signed-in",
    "//app.test/x",
    "https://evil.test/",
    "https://app.test.evil.test/",
    "https://app.test@evil.test/",
    "https://evil.test\\@app.test/",
    "https://app.test:8443/",
    "http://app.test/",
    "javascript:alert(1)//https://app.test",
    "https://app.test/#x",
    "https://app.test/\r\nset-cookie: a=b",
    "https://app.test/ x",
    "http://127.0.0.1:9999/",
    "https://app.test/?code=another",
    "https://app.test/?a=b&state=",
    "https://app.test/" + "x" * 2000,
]


def test_people_are_sent_nowhere_else(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        for address in RETURNS:
            refused = await browser.begin(return_to=address)
            assert (refused.status_code, refused.json()["details"]["parameter"]) == (400, "return_to"), address
            assert "set-cookie" not in refused.headers
        for address in (APP, f"{HERE}/docs", "https://APP.test:443/x"):
            assert (await browser.begin(return_to=address)).status_code == 303, address
        for changes in (
            {"code_challenge": None},
            {"code_challenge": "short"},
            {"prompt": "none"},
            {"state": "x" * 501},
        ):
            assert (await browser.begin(**changes)).status_code == 400, changes
        twice = f"{HERE}/auth/login?return_to={APP}&return_to=https://evil.test&code_challenge={browser.challenge}"
        assert (await browser.client.get(twice)).status_code == 400

    in_world(body, sqlite_url, tmp_path)


def test_the_verifier_and_the_nonce_never_leave_sealed_hands(sqlite_url: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        browser = world.browser()
        asked = parse_qs(urlsplit((await browser.begin()).headers["location"]).query)
        assert asked["redirect_uri"] == [f"{HERE}/auth/callback"]
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["code_challenge"] != [browser.challenge]
        again = parse_qs(urlsplit((await browser.begin()).headers["location"]).query)
        assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))

    in_world(body, sqlite_url, tmp_path)
