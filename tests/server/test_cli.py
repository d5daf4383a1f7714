"""The command as its users meet it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from waiting import wait_until

from server.cli import ASKED_WRONGLY, FAILED, main
from server.settings import FIELDS, Settings, flag_of
from server.startup import bind
from server.tokens import peek

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "server.cli")
SECRET = "a secret of the operator's, which is long enough"
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
    return {**own, **variables}


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Serving:
    """A server that accepts connections; `printed` is what it said until then."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log
        self.printed = ""
        assert process.stdout is not None
        while not (found := re.search(r"at (http://\S+)", self.printed)):
            line = process.stdout.readline()
            assert line, f"it ended before it accepted connections: {log.read_text()}"
            self.printed += line
        self.url = found[1]

    def rest(self, how: signal.Signals = signal.SIGTERM) -> tuple[str, str, int]:
        """Stop it: what else it printed, what it logged, the exit code."""
        self.process.send_signal(how)
        printed, _ = self.process.communicate(timeout=30)
        return printed, self._log.read_text(), self.process.returncode


@contextmanager
def serving(folder: Path, *arguments: str, **variables: str) -> Iterator[Serving]:
    folder.mkdir(exist_ok=True)
    log = folder / "server.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--data", str(folder), *arguments],
            cwd=ROOT,
            env=environment(variables),
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
        )
    with process:
        try:
            yield Serving(process, log)
        finally:
            process.kill()


def me(url: str, token: str) -> httpx.Response:
    return httpx.get(f"{url}/me", headers={"authorization": f"Bearer {token}"}, timeout=10)


def in_process(capsys: pytest.CaptureFixture[str], *arguments: str, **variables: str) -> tuple[int, str, list[str]]:
    """Exit code, standard output and the lines of standard error."""
    try:
        code = main(arguments, variables)
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err.splitlines()


def test_a_first_start_prints_its_address_and_a_token_that_works(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.url)
        printed, logged, code = "", "", 0
        assert server.process.stdout is not None
        lines = [server.process.stdout.readline() for _ in range(3)]
        assert "'default'" in lines[0]
        assert "good for 1d" in lines[1]
        token = lines[2].strip()
        assert JWT.fullmatch(token)
        answer = me(server.url, token)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["id"], answer.json()["is_admin"]) == ("admin", True)
        printed, logged, code = server.rest()
    assert (printed, code) == ("", 0)
    assert "Traceback" not in logged
    assert "eyJ" not in logged


def test_a_later_start_prints_no_token_and_honours_earlier_ones(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        token = command("token", "--user", "ada", "--data", str(tmp_path)).stdout.strip()
        server.process.kill()
        server.process.wait(30)
    with serving(tmp_path) as server:
        assert me(server.url, token).json()["id"] == "ada"
        printed, _, code = server.rest(signal.SIGINT)
    assert not JWT.search(server.printed + printed)
    assert code == 0


def test_a_token_is_made_beside_a_running_server_and_its_membership_seen(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        grant = ("token", "--user", "ada", "--data", str(tmp_path), "--expires", "1h")
        plain = command(*grant)
        assert (plain.returncode, plain.stderr) == (0, "")
        token = plain.stdout.strip()
        assert JWT.fullmatch(token)
        assert peek(token, 1)["exp"] - peek(token, 1)["iat"] == 3600
        headers = {"authorization": f"Bearer {token}"}
        workspace = f"{server.url}/collaboration/workspaces/default"
        assert httpx.get(workspace, headers=headers, timeout=10).status_code == 404
        member = command(*grant, "--workspace", "default", "--role", "viewer")
        assert member.returncode == 0, member.stderr
        # The running server looks for changes of others once a second.
        last = httpx.Response(0)

        def is_member() -> bool:
            nonlocal last
            last = httpx.get(workspace, headers=headers, timeout=10)
            return last.status_code == 200

        wait_until(is_member, 10, lambda: last.text)


def test_the_log_is_json_and_holds_no_credential(tmp_path: Path) -> None:
    with serving(tmp_path, "--log-level", "debug", STUDIO_LOG_JSON="true") as server:
        token = command("token", "--user", "ada", "--data", str(tmp_path)).stdout.strip()
        assert httpx.get(f"{server.url}/docs?token={token}", timeout=10).status_code == 200
        me(server.url, token)
        _, logged, code = server.rest()
    assert code == 0
    entries = [json.loads(line) for line in logged.splitlines()]
    assert {"accepting connections", "stopping"} <= {entry["message"] for entry in entries}
    assert token.split(".")[2] not in logged


def test_a_port_in_use_is_one_line_and_nothing_is_made(tmp_path: Path) -> None:
    with bind(Settings(port=0)) as taken:
        port = str(taken.getsockname()[1])
        ended = command("serve", "--port", port, "--data", str(tmp_path / "data"))
    assert ended.returncode == FAILED
    assert ended.stderr == (
        f"collab-studio: port {port} on 127.0.0.1 is in use by another program; choose another with --port\n"
    )
    assert ended.stdout == ""
    assert not (tmp_path / "data").exists()


def test_several_processes_on_the_embedded_database_are_one_line(tmp_path: Path) -> None:
    ended = command("serve", "--port", "0", "--data", str(tmp_path / "data"), "--workers", "2")
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == ASKED_WRONGLY
    assert line.startswith("collab-studio: --workers: 2 processes share documents over PostgreSQL and Redis; set ")
    checked = command("check", "--port", "0", "--data", str(tmp_path / "data"), STUDIO_WORKERS="2")
    assert "problem: STUDIO_WORKERS: 2 processes share documents" in checked.stdout
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    ended = command("serve", "--port", "0", STUDIO_DATA=str(tmp_path / "data"))
    assert ended.returncode == FAILED
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"collab-studio: cannot write to the folder {tmp_path / 'data'}: ")


def test_a_database_out_of_reach_is_one_line_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://studio:hunter2@127.0.0.1:{closed.getsockname()[1]}/studio"
        ended = command("serve", "--port", "0", STUDIO_DATABASE_URL=url)
    assert ended.returncode == FAILED
    (line,) = ended.stderr.splitlines()
    assert line.startswith("collab-studio: cannot use the database postgresql://studio:***@127.0.0.1")


@pytest.mark.parametrize("name", ["serve", "token --user ada"])
def test_every_problem_of_the_settings_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str], name: str) -> None:
    arguments = (*name.split(), "--port", "99999", "--database-url", "mysql://root:hunter2@x/y")
    code, out, lines = in_process(capsys, *arguments, STUDIO_LOG_LEVEL="loud", STUDIO_SECRET_KEY="hunter2")
    assert (code, out) == (ASKED_WRONGLY, "")
    assert [line.split(": ")[1] for line in lines] == [
        "--port",
        "--database-url",
        "STUDIO_SECRET_KEY",
        "STUDIO_LOG_LEVEL",
    ]
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "the following arguments are required: command"),
        ("sreve", "invalid choice: 'sreve'"),
        ("serve --prot 1", "unrecognized arguments: --prot 1"),
        ("serve --por 1", "unrecognized arguments: --por 1"),
        ("token", "required: --user"),
        ("token --user ada --role king", "invalid choice: 'king'"),
        ("token --user ada --role viewer", "--workspace and --role: give both or neither"),
        ("token --user ada --workspace default", "--workspace and --role: give both or neither"),
        ("token --user ada --expires soon", "'soon' is not a length of time"),
        ("token --user ada --expires 400d", "longer than max_token_lifetime, 90d; use an API key"),
        ("token --user a/b", "'a/b' cannot be a user's name"),
        ("token --user ada --workspace nowhere --role viewer", "there is no workspace 'nowhere'"),
    ],
)
def test_a_wrong_command_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: str, expected: str
) -> None:
    code, out, lines = in_process(capsys, *arguments.split(), STUDIO_DATA=str(tmp_path))
    assert code in (ASKED_WRONGLY, FAILED)
    assert out == ""
    assert expected in lines[-1]
    assert lines[-1].startswith("collab-studio")
    assert len(lines) == 1 or "there was no database yet" in lines[0]


def test_a_token_that_makes_its_database_says_so_beside_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, (note,) = in_process(capsys, "token", "--user", "ada", "--data", str(tmp_path / "new"))
    assert code == 0
    assert JWT.fullmatch(out.strip())
    assert note == f"collab-studio: there was no database yet; making {tmp_path / 'new' / 'studio.sqlite3'}"
    assert in_process(capsys, "token", "--user", "ada", "--data", str(tmp_path / "new"))[2] == []


def test_the_lifetime_of_a_token(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for flags, seconds in (((), 86400), (("--token-lifetime", "2h"), 7200), (("--expires", "90"), 90)):
        _, out, _ = in_process(capsys, "token", "--user", "ada", "--data", str(tmp_path), *flags)
        claims = peek(out.strip(), 1)
        assert claims["exp"] - claims["iat"] == seconds


def test_check_shows_every_setting_its_source_and_no_secret(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, lines = in_process(
        capsys,
        "check",
        "--port",
        "0",
        STUDIO_DATA=str(tmp_path / "data"),
        STUDIO_SECRET_KEY=SECRET,
    )
    assert (code, lines) == (0, [])
    for name in FIELDS:
        assert re.search(rf"^{name} += ", out, re.MULTILINE), name
    assert re.search(r"^port += 0 +\(--port\)$", out, re.MULTILINE)
    assert re.search(r"^secret_key += \(hidden\) +\(STUDIO_SECRET_KEY\)$", out, re.MULTILINE)
    assert re.search(r"^message_rate += 1000 +\(default\)$", out, re.MULTILINE)
    assert SECRET not in out
    assert out.splitlines()[-1] == "no problems"
    assert not (tmp_path / "data").exists()


def test_check_shows_every_problem_of_the_settings_and_of_the_world(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "data").touch()
    with bind(Settings(port=0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, _ = in_process(
            capsys,
            "check",
            "--port",
            port,
            "--data",
            str(tmp_path / "data"),
            STUDIO_MESSAGE_RATE="many",
            STUDIO_HSOT="x",
        )
    assert code == FAILED
    assert [line.removeprefix("problem: ")[:11] for line in out.splitlines() if line.startswith("problem: ")] == [
        "STUDIO_HSOT",
        "STUDIO_MESS",
        "cannot writ",
        f"port {port} ",
    ]
    assert out.splitlines()[-1] == "4 problems"


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = in_process(capsys, "serve", "--help")
    assert code == 0
    for name in FIELDS:
        assert flag_of(name) in out


@pytest.mark.parametrize(("arguments", "unbuffered"), [("check --port 0", ""), ("check --port 0", "1"), ("--help", "")])
def test_a_reader_that_left_is_no_failure_to_tell(tmp_path: Path, arguments: str, unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [*COMMAND, *arguments.split()],
            cwd=ROOT,
            env=environment({"STUDIO_DATA": str(tmp_path), "PYTHONUNBUFFERED": unbuffered}),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (FAILED, "")


def test_what_nobody_foresaw_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def broken(*_: object) -> str:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("server.grants.issue_token", broken)
    code, out, lines = in_process(capsys, "token", "--user", "ada", "--data", str(tmp_path))
    assert (code, out) == (FAILED, "")
    assert lines[-1].startswith("collab-studio: internal error: RuntimeError: first line second line")
