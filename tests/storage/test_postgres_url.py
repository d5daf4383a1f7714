"""PostgreSQL URLs, pasted from anywhere, as the driver takes them."""

from typing import Any

import pytest
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from storage.engines import parse_url
from storage.errors import InvalidUrl
from storage.postgres_engine import keeps_statements
from storage.postgres_url import split_options, spread_hosts


def arguments(text: str) -> dict[str, Any]:
    """What the driver is called with."""
    url, options = split_options(parse_url(text))
    _, address = PGDialect_asyncpg().create_connect_args(url)  # type: ignore[no-untyped-call]
    return {**address, **options}


@pytest.mark.parametrize(
    ("text", "hosts", "ports"),
    [
        ("postgresql://ann@a,b/studio", ["a", "b"], [5432, 5432]),
        (
            "postgresql://ann:se,cret@a:5433,b,c:1/studio?target_session_attrs=read-write",
            ["a", "b", "c"],
            [5433, 5432, 1],
        ),
        ("postgresql:///studio?host=a:5433&host=b:5434&user=ann", ["a", "b"], [5433, 5434]),
    ],
)
def test_several_hosts(text: str, hosts: list[str], ports: list[int]) -> None:
    found = arguments(text)
    assert (found["host"], found["port"], found["database"]) == (hosts, ports, "studio")
    assert "ann" in (found.get("user"), found.get("dsn", "").rpartition("=")[2])


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:se,cr/et@host:5432/studio?sslmode=require",
        "postgresql://host/studio",
        "postgresql:///studio?host=/run/postgresql",
        "sqlite:////data/a@b,c/studio.sqlite3",
        "",
    ],
)
def test_one_host_is_left_as_it_is(text: str) -> None:
    assert spread_hosts(text) == text


def test_options_go_where_they_belong() -> None:
    found = arguments(
        "postgresql://ann@host/studio?ssl=require&sslrootcert=/etc/ca.pem&connect_timeout=3&command_timeout=2.5"
        "&prepared_statement_cache_size=0&target_session_attrs=read-write&application_name=a%20b"
    )
    assert (found["timeout"], found["command_timeout"], found["prepared_statement_cache_size"]) == (3.0, 2.5, 0)
    options = found["dsn"].removeprefix("postgresql:///?").split("&")
    assert sorted(options) == [
        "application_name=a+b",
        "sslmode=require",
        "sslrootcert=%2Fetc%2Fca.pem",
        "target_session_attrs=read-write",
    ]


def test_a_pooler_is_told_of_by_a_cache_of_none() -> None:
    assert keeps_statements(parse_url("postgresql://host/studio"))
    assert keeps_statements(parse_url("postgresql://host/studio?prepared_statement_cache_size=10"))
    assert not keeps_statements(parse_url("postgresql://host/studio?prepared_statement_cache_size=0"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("postgresql://host/studio?command_timeout=soon", "command_timeout=soon .* number of seconds above 0"),
        ("postgresql://host/studio?connect_timeout=0", "timeout=0 .* number of seconds above 0"),
        ("postgresql://host/studio?prepared_statement_cache_size=many", "=many .* 0 .* or a number of statements"),
        ("postgresql://ann:secret@a:x,b/studio", "of several PostgreSQL hosts each is a name"),
        ("postgresql://ann:secret@[::1]:5432,[::2]:5432/studio", "of several PostgreSQL hosts each is a name"),
    ],
)
def test_what_does_not_fit_is_told_without_the_password(text: str, why: str) -> None:
    with pytest.raises(InvalidUrl, match=why) as raised:
        parse_url(text)
    assert "secret" not in str(raised.value)
