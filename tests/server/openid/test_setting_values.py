"""Settings of sign-ins: what they take, what they refuse and with which words."""

from __future__ import annotations

import pytest

from handlers.access import Role
from server.openid.options import openid_options
from server.settings import read_settings

WHOLE = {
    "STUDIO_OIDC_ISSUER": "https://login.example.org/",
    "STUDIO_OIDC_CLIENT_ID": "studio",
    "STUDIO_OIDC_CLIENT_SECRET": "not to be seen",
    "STUDIO_PUBLIC_URL": "https://studio.example.org/",
    "STUDIO_OIDC_ALLOWED_DOMAINS": "Example.org, @example.com",
}


def problems_of(**changes: str | None) -> list[str]:
    environ = {**WHOLE, "STUDIO_OIDC_ROLES": "analysts=default:editor"}
    environ |= {f"STUDIO_{name.upper()}": value or "" for name, value in changes.items()}
    return list(read_settings({}, environ).problems)


def test_what_is_whole_has_no_problem_and_shows_no_secret() -> None:
    reading = read_settings({}, {**WHOLE, "STUDIO_OIDC_ROLES": "a=default:editor,b=two:admin"})
    assert reading.problems == ()
    assert "not to be seen" not in repr(reading.settings)
    assert reading.settings.shown("oidc_roles") == "a=default:editor, b=two:admin"
    options = openid_options(reading.require())
    assert options is not None
    # Providers that name themselves with a slash are asked for with one.
    assert options.issuer == "https://login.example.org/"
    assert options.redirect_uri == "https://studio.example.org/auth/callback"
    assert (options.domains, options.groups) == (frozenset({"example.org", "example.com"}), None)
    assert [(rule.workspace_id, rule.role) for rule in options.roles] == [
        ("default", Role.EDITOR),
        ("two", Role.ADMIN),
    ]


def test_nobody_signs_in_unless_the_operator_says_so() -> None:
    assert openid_options(read_settings({}, {}).require()) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"oidc_client_id": None}, "set oidc_client_id"),
        ({"public_url": None}, "set public_url"),
        ({"oidc_allowed_domains": None}, "who may come in?"),
        ({"oidc_issuer": None}, "set oidc_issuer"),
        ({"oidc_issuer": "http://login.example.org"}, "use https"),
        ({"oidc_issuer": "https://login.example.org?x=1"}, "more than host and path"),
        ({"oidc_issuer": "login.example.org"}, "not a web address"),
        ({"oidc_issuer": "https://[::1"}, "not a URL"),
        ({"oidc_scopes": 'openid "x"'}, "is no scope"),
        ({"oidc_allowed_domains": "*, example.org"}, "* is everybody"),
        ({"oidc_allowed_domains": "example"}, "not the domain"),
        ({"oidc_roles": "analysts"}, "use group=workspace:role"),
        ({"oidc_roles": "analysts=Default:editor"}, "use group=workspace:role"),
        ({"oidc_roles": "analysts=default:owner"}, "owners are made by owners"),
        ({"oidc_roles": "analysts=default:boss"}, "viewer, commenter, editor, admin"),
    ],
)
def test_each_problem_says_what_would_be_right(changes: dict[str, str | None], words: str) -> None:
    (problem,) = problems_of(**changes)
    assert words in problem
    assert "not to be seen" not in problem


def test_everybody_is_said_in_so_many_words() -> None:
    assert problems_of(oidc_allowed_domains="*") == []
    options = openid_options(read_settings({}, {**WHOLE, "STUDIO_OIDC_ALLOWED_DOMAINS": "*"}).require())
    assert options is not None
    assert (options.domains, options.groups) == (None, None)


def test_an_issuer_of_this_machine_needs_no_encryption() -> None:
    assert problems_of(oidc_issuer="http://127.0.0.1:9000") == []
    assert problems_of(oidc_issuer="http://localhost:9000/realms/studio") == []
