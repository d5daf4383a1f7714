"""Settings: what wins, what is refused and with which words, and that no secret is ever shown."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from server import settings as module
from server.settings import FIELDS, Settings, SettingsError, flag_of, read_settings, variable_of

SECRET = "s3cret-" * 8


def problems_of(**variables: str) -> list[str]:
    return list(read_settings({}, {f"STUDIO_{name.upper()}": value for name, value in variables.items()}).problems)


def test_defaults_hold_together() -> None:
    reading = read_settings({}, {})
    assert reading.problems == ()
    assert reading.settings == Settings()
    assert reading.settings.port == 8400
    assert reading.settings.database_url == "sqlite:///data/studio.sqlite3"
    assert set(reading.sources.values()) == {"default"}


def test_the_default_database_lies_in_the_data_folder() -> None:
    assert Settings(data=Path("/srv/x")).database_url == "sqlite:////srv/x/studio.sqlite3"
    reading = read_settings({"data": "/srv/y"}, {})
    assert reading.settings.database_url == "sqlite:////srv/y/studio.sqlite3"


def test_a_flag_wins_over_a_variable_over_the_default() -> None:
    environ = {"STUDIO_PORT": "1111", "STUDIO_HOST": "10.0.0.1"}
    reading = read_settings({"port": "2222", "data": None}, environ)
    assert (reading.settings.port, reading.settings.host) == (2222, "10.0.0.1")
    assert reading.sources["port"] == "--port"
    assert reading.sources["host"] == "STUDIO_HOST"
    assert reading.sources["data"] == "default"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_settings({}, {"STUDIO_REDIS_URL": ""}).settings.redis_url is None


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_every_problem_is_told_at_once_in_a_line_of_its_own() -> None:
    problems = problems_of(port="99999", database_url="mysql://x/y", secret_key="short", log_level="loud", data="/x")
    assert len(problems) == 4
    for problem, name in zip(problems, ("PORT", "DATABASE_URL", "SECRET_KEY", "LOG_LEVEL"), strict=True):
        assert problem.startswith(f"STUDIO_{name}: ")
        assert "use " in problem
        assert "\n" not in problem


def test_a_bad_value_is_reported_and_the_default_shown() -> None:
    reading = read_settings({"port": "http"}, {})
    assert reading.settings.port == 8400
    with pytest.raises(SettingsError) as caught:
        reading.require()
    assert caught.value.problems == ("--port: 'http' does not fit; use a whole number from 0 to 65535",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "-1"),
        ("port", "1.5"),
        ("port", "٣"),
        ("max_frame_bytes", "4 pounds"),
        ("max_frame_bytes", "1KiB"),
        ("max_frame_bytes", "9" * 400),
        ("max_connections_per_user", "0"),
        ("message_rate", "9" * 5000),
        ("token_lifetime", "soon"),
        ("token_lifetime", "0"),
        ("token_lifetime", "-1h"),
        ("token_lifetime", "nan"),
        ("token_lifetime", "1e9"),
        ("token_lifetime", "9" * 400),
        ("log_json", "perhaps"),
        ("host", "  "),
        ("database_url", "data/studio.sqlite3"),
        ("database_url", "sqlite://data/studio.sqlite3"),
        ("database_url", "sqlite:///"),
        ("database_url", "postgresql://host"),
        ("database_url", "postgresql://host:port/name"),
        ("redis_url", "localhost:6379"),
        ("redis_url", "redis://"),
        ("public_url", "studio.example.org"),
        ("public_url", "https://studio.example.org/?x=1"),
        ("allowed_origins", "*"),
        ("allowed_origins", "https://a.example/path"),
        ("allowed_origins", "a.example"),
        ("trusted_proxies", "proxy"),
        ("source_folders", "data"),
        ("source_folders", "/nowhere/at/all"),
        ("credentials_key", "short"),
        ("secret_key", "-----BEGIN PRIVATE KEY-----" * 3),
        ("outgoing_hosts", "https://hooks.internal"),
        ("advisory_keys", "c2hvcnQ="),
        ("smtp_url", "mail.example"),
        ("smtp_url", "smtp://mail.example/inbox"),
        ("mail_from", "studio"),
        ("language_model_url", "models.example.org"),
        ("language_model_url", "https://key@models.example.org/v1"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str) -> None:
    problems = problems_of(**{name: value})
    assert len(problems) == 1
    assert problems[0].startswith(f"STUDIO_{name.upper()}: ")
    assert ";" in problems[0] or "use" in problems[0]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_frame_bytes", "4MiB", 4 * 1024 * 1024),
        ("max_frame_bytes", "1.5 MB", 1_500_000),
        ("max_frame_bytes", "65536", 65536),
        ("token_lifetime", "90", 90.0),
        ("token_lifetime", "15m", 900.0),
        ("token_lifetime", "500ms", 0.5),
        ("token_lifetime", "1h", 3600.0),
        ("token_lifetime", "30d", 30 * 86400.0),
        ("log_json", "yes", True),
        ("source_folders", "/, /usr/../usr", (Path("/"), Path("/usr"))),
        ("log_json", "0", False),
        ("log_level", "DEBUG", "debug"),
        (
            "allowed_origins",
            "https://A.Example:443, http://b.example:8080/",
            ("https://a.example", "http://b.example:8080"),
        ),
        ("trusted_proxies", "10.0.0.7, 10.1.2.3/8", ("10.0.0.7/32", "10.0.0.0/8")),
        ("public_url", "https://studio.example.org/", "https://studio.example.org"),
        ("database_url", "postgresql://u:p@db:5432/studio", "postgresql://u:p@db:5432/studio"),
        ("database_url", "postgresql://u:p@a:1,b:2/studio", "postgresql://u:p@a:1,b:2/studio"),
        ("redis_url", "rediss://cache.example/1", "rediss://cache.example/1"),
        ("secret_key", SECRET, SECRET),
        ("outgoing_hosts", "Hooks.Internal, 10.1.2.3/8, ::1", ("hooks.internal", "10.0.0.0/8", "::1/128")),
        ("mail_from", " studio@shop.example ", "studio@shop.example"),
    ],
)
def test_values_are_read(name: str, value: str, expected: object) -> None:
    reading = read_settings({}, {variable_of(name): value})
    assert reading.problems == ()
    assert getattr(reading.settings, name) == expected


@pytest.mark.parametrize(
    "variables",
    [
        {"token_lifetime": "100d", "max_token_lifetime": "30d"},
        {"message_rate": "100000"},
        {"keepalive_interval": "45s"},
        {"max_document_bytes": "64MiB"},
        {"drain_seconds": "10s"},
        {"metrics_raw_age": "40d"},
    ],
)
def test_values_that_contradict_each_other_are_refused(variables: dict[str, str]) -> None:
    (problem,) = problems_of(**variables)
    assert problem.startswith("STUDIO_")
    assert "must be" in problem


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "database_url to postgresql://USER:PASSWORD@HOST/NAME and redis_url to redis://HOST:PORT/0"),
        ({"database_url": "postgresql://db/studio"}, "redis_url to redis://HOST:PORT/0"),
        ({"redis_url": "redis://cache/0"}, "database_url to postgresql://USER:PASSWORD@HOST/NAME"),
    ],
)
def test_several_processes_need_something_to_share(given: dict[str, str], missing: str) -> None:
    assert problems_of(workers="3", **given) == [
        f"STUDIO_WORKERS: 3 processes share documents over PostgreSQL and Redis; set {missing}, or use 1 process"
    ]
    assert problems_of(workers="1", **given) == []
    assert problems_of(workers="3", database_url="postgresql://db/studio", redis_url="redis://cache/0") == []


def test_mail_needs_a_sender() -> None:
    assert problems_of(smtp_url="smtp://mail.example", mail_from="studio@shop.example") == []
    (problem,) = problems_of(smtp_url="smtp://mail.example")
    assert problem.startswith("STUDIO_SMTP_URL: mail needs a sender; set mail_from")


def test_an_address_of_models_needs_the_name_of_one() -> None:
    assert problems_of(language_model_url="https://models.example/v1", language_model_model="tiny") == []
    (problem,) = problems_of(language_model_url="https://models.example/v1")
    assert problem == "STUDIO_LANGUAGE_MODEL_URL: which model is there? set language_model_model to its name"


def test_which_worker_a_process_is_is_no_setting() -> None:
    assert "worker_index" not in FIELDS
    assert Settings(worker_index=3).worker_index == 3


def test_a_misspelt_variable_is_named_and_a_clients_own_is_left_alone() -> None:
    assert problems_of(prot="1", token="x", url="y", user="z") == [
        "STUDIO_PROT: there is no such setting; STUDIO_PORT is one"
    ]


def test_secrets_and_passwords_are_never_shown() -> None:
    settings = Settings(
        secret_key=SECRET,
        database_url="postgresql://studio:hunter2@db/studio?sslpassword=hunter2&sslmode=require",
        redis_url="redis://:hunter2@cache/0",
        smtp_url="smtp://studio:hunter2@mail/",
        language_model_key="hunter2",
    )
    shown = repr(settings) + str(settings) + "".join(settings.shown(name) for name in FIELDS)
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert settings.shown("secret_key") == "(hidden)"
    assert settings.shown("database_url") == "postgresql://studio:***@db/studio?sslpassword=***&sslmode=require"
    assert settings.shown("redis_url") == "redis://:***@cache/0"


def test_a_refused_secret_is_not_repeated() -> None:
    (problem,) = problems_of(secret_key="hunter2")
    assert "hunter2" not in problem
    (problem,) = problems_of(database_url="mysql://root:hunter2@db/x")
    assert "hunter2" not in problem
    (problem,) = problems_of(redis_url="http://:hunter2@db/x")
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("LOCALHOST", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False)],
)
def test_bound_to_loopback(host: str, expected: bool) -> None:
    assert Settings(host=host).bound_to_loopback is expected


def test_flag_and_variable_names() -> None:
    assert flag_of("max_frame_bytes") == "--max-frame-bytes"
    assert variable_of("max_frame_bytes") == "STUDIO_MAX_FRAME_BYTES"


def test_every_number_has_its_reason_above_it() -> None:
    lines = Path(module.__file__ or "").read_text().splitlines()
    numbers = [index for index, line in enumerate(lines) if re.match(r"    \w+: (int|float) = setting", line)]
    assert len(numbers) > 15
    for index in numbers:
        assert lines[index - 1].lstrip().startswith("#"), lines[index]
