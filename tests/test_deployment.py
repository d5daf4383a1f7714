"""The files that people deploy with: what they name exists, and what they say can be run."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]
from server_process import free_port
from waiting import wait_until

from server.settings import Settings, read_settings
from storage.engines import parse_url

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<word>[^}]*))?\}")


def substituted(value: str, variables: dict[str, str]) -> str:
    """As Compose does it: `${NAME:-default}` and `${NAME:?error}`."""

    def replace(match: re.Match[str]) -> str:
        found = variables.get(match["name"], "")
        assert found or match["kind"] != "?", f"{match['name']}: {match['word']}"
        return found or match["word"] or ""

    return _VARIABLE.sub(replace, value)


def environment_of(service: str, **variables: str) -> dict[str, str]:
    return {name: substituted(str(value), variables) for name, value in SERVICES[service]["environment"].items()}


@pytest.mark.parametrize("given", [{}, {"STUDIO_WORKERS": "4", "STUDIO_PUBLIC_URL": "https://studio.example.org"}])
def test_the_web_service_has_settings_that_hold(given: dict[str, str]) -> None:
    reading = read_settings({}, environment_of("web", POSTGRES_PASSWORD="secret", **given))
    assert reading.problems == ()
    database = parse_url(reading.settings.database_url)
    assert (database.get_backend_name(), database.host) == ("postgresql", "postgres")
    assert reading.settings.redis_url == "redis://redis:6379/0"
    assert {"postgres", "redis"} <= SERVICES.keys()
    assert environment_of("postgres", POSTGRES_PASSWORD="secret")["POSTGRES_USER"] == database.username


def test_no_password_stands_in_the_file() -> None:
    with pytest.raises(AssertionError, match=r"set it in \.env"):
        environment_of("web")


def test_two_servers_stand_behind_one_address() -> None:
    assert SERVICES["web"]["deploy"]["replicas"] == 2
    published = [name for name, service in SERVICES.items() if service.get("ports")]
    assert published == ["proxy"]
    (port,) = (substituted(entry, {}) for entry in SERVICES["proxy"]["ports"])
    proxy = COMPOSE["configs"]["haproxy"]["content"]
    assert f"bind :{port.partition(':')[2]}" in proxy
    assert f"web:{Settings().port} check" in proxy
    assert "option httpchk GET /ready" in proxy
    # Compose would take a dollar sign for a variable.
    assert "$" not in proxy


def test_servers_are_started_when_they_can_and_have_time_to_stop() -> None:
    web = SERVICES["web"]
    assert "/ready" in " ".join(web["healthcheck"]["test"])
    assert web["depends_on"] == {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}
    assert all("healthcheck" in SERVICES[name] for name in web["depends_on"])
    assert SERVICES["proxy"]["depends_on"] == {"web": {"condition": "service_healthy"}}
    assert float(web["stop_grace_period"].removesuffix("s")) > Settings().shutdown_timeout


def test_the_image_holds_everything_and_gets_the_signal_itself() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and len(line.split()) == 3}
    packages = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    )
    assert packages <= copied
    # What is not let in again does not reach the builder.
    let_in = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert copied - {"--from=build"} <= let_in | {"pyproject.toml"}
    assert 'CMD ["collab-studio", "serve"]' in lines
    assert f"EXPOSE {Settings().port}" in lines
    assert any(line.startswith("HEALTHCHECK") and f"{Settings().port}/ready" in line for line in lines)


# The Procfile, run for real


@contextmanager
def web(folder: Path, name: str, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """What the Procfile says about `web`, as its runners do it: by a shell, with a port of its own."""
    (command,) = re.findall(r"^web: (.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE)
    port, log = free_port(), folder / f"{name}.log"
    own = {key: value for key, value in os.environ.items() if not key.startswith("STUDIO_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', '')}"
    with log.open("wb") as written:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env={**own, **variables, "PATH": path, "PORT": str(port)},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_ready(url), 60, log.read_text)
        yield process, url, log
    finally:
        process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def first_token(*logs: Path) -> str:
    (token,) = re.findall(r"^eyJ\S+$", "\n".join(log.read_text() for log in logs), re.MULTILINE)
    return str(token)


@pytest.mark.timeout(120)
def test_the_procfile_runs_two_nodes_of_several_processes(
    tmp_path: Path, empty_postgres_url: str, redis_url: str
) -> None:
    shared = {"STUDIO_DATABASE_URL": empty_postgres_url, "STUDIO_REDIS_URL": redis_url}
    with ExitStack() as stack:
        one, first, one_log = stack.enter_context(web(tmp_path, "one", **shared, WEB_CONCURRENCY="2"))
        other, second, other_log = stack.enter_context(web(tmp_path, "other", **shared))
        assert "2 workers accept connections" in one_log.read_text()
        headers = {"Authorization": f"Bearer {first_token(one_log, other_log)}"}
        document = "/collaboration/documents/default/notes/content"
        put = httpx.put(f"{first}{document}", headers=headers, json={"text": "written through one"}, timeout=30)
        assert put.status_code == 200, put.text
        read = httpx.get(f"{second}{document}", headers=headers, timeout=30)
        assert read.json()["text"] == "written through one"
        for process, log in ((one, one_log), (other, other_log)):
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, log.read_text()[-3000:]


def test_the_procfile_runs_alone_on_nothing(tmp_path: Path) -> None:
    with web(tmp_path, "alone") as (process, _, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert (tmp_path / "data" / "studio.sqlite3").exists()
