"""Which pages may connect: exact scheme, host and port, and nothing that merely looks alike."""

from __future__ import annotations

import pytest

from server.origin import OriginPolicy
from server.settings import Settings

OPEN = Settings(host="0.0.0.0", allowed_origins=("https://app.example", "http://tools.example:3000"))
HOST = "studio.example:8400"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://studio.example:8400",
        "https://studio.example:8400",
        "HTTP://STUDIO.EXAMPLE:8400",
        "https://app.example",
        "https://app.example:443",
        "https://APP.example",
        "http://tools.example:3000",
    ],
)
def test_allowed(origin: str | None) -> None:
    assert OriginPolicy(OPEN).allows(origin, HOST)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        " ",
        "https://evil.example",
        "https://evil-app.example",
        "https://app.example.evil.example",
        "https://app.example:8443",
        "http://app.example",
        "https://app.example.",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example@evil.example",
        "https://user@app.example",
        "https://app.example?x",
        "https://app.example#x",
        "https://аpp.example",
        "https://app.exаmple",
        "https://app.example, https://evil.example",
        "https://app.example https://evil.example",
        "https://app.example\n",
        "https://app.example:",
        "https://app.example:99999",
        "https://[::1",
        "file://",
        "ws://studio.example:8400",
        "chrome-extension://abcdef",
        "//studio.example:8400",
        "studio.example:8400",
        "http://studio.example:8401",
        "http://studio.example",
        "http://localhost:3000",
        "http://127.0.0.1:8400",
        "https://" + "a" * 400 + ".example",
    ],
)
def test_refused(origin: str) -> None:
    assert not OriginPolicy(OPEN).allows(origin, HOST)


def test_a_page_of_a_default_port_is_same_origin_behind_a_tls_proxy() -> None:
    policy = OriginPolicy(Settings(host="0.0.0.0"))
    assert policy.allows("https://studio.example", "studio.example")
    assert policy.allows("https://studio.example", "studio.example:443")
    assert not policy.allows("https://studio.example:8443", "studio.example")


def test_the_public_url_is_ours() -> None:
    policy = OriginPolicy(Settings(host="0.0.0.0", public_url="https://studio.example/base"))
    assert policy.allows("https://studio.example", "10.0.0.5:8400")
    assert not policy.allows("http://studio.example", "10.0.0.5:8400")


@pytest.mark.parametrize("host", [None, "", "studio.example/path", "[::1"])
def test_without_a_readable_host_there_is_no_same_origin(host: str | None) -> None:
    assert not OriginPolicy(Settings(host="0.0.0.0")).allows("http://studio.example", host)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:5173",
        "http://127.0.0.1:3000",
        "https://127.1.2.3",
        "http://[::1]:8080",
        "http://app.localhost",
    ],
)
def test_pages_of_this_machine_may_connect_while_only_it_can(origin: str) -> None:
    assert OriginPolicy(Settings(host="127.0.0.1")).allows(origin, "127.0.0.1:8400")
    assert not OriginPolicy(Settings(host="0.0.0.0")).allows(origin, "127.0.0.1:8400")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "null",
    ],
)
def test_a_loopback_server_refuses_the_rest_of_the_web(origin: str) -> None:
    assert not OriginPolicy(Settings(host="127.0.0.1")).allows(origin, "127.0.0.1:8400")
