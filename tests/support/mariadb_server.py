"""A MariaDB server of the tests' own: private data, a free port, gone when the block ends."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncmy
import pytest
from asyncmy import errors
from server_process import free_port

START_SECONDS = 60.0
OPTIONS = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--character-set-server=utf8mb4",
    "--performance-schema=off",
)


class MariadbServer:
    """One server under one port; `root` may do everything, others are made by tests."""

    def __init__(self, folder: Path, program: str, *options: str) -> None:
        self._folder = folder
        self._log = folder / "log"
        self.port = free_port()
        self._databases = 0
        user = ("--user=mysql",) if os.geteuid() == 0 else ()
        data, scratch = folder / "data", folder / "scratch"
        scratch.mkdir()
        if user:
            shutil.chown(folder, "mysql")
            shutil.chown(scratch, "mysql")
        install = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
        assert install is not None
        made = subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", f"--tmpdir={scratch}", *user,
             "--auth-root-authentication-method=normal", "--skip-test-db"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [program, *OPTIONS, *options, *user, f"--datadir={data}", f"--tmpdir={scratch}", f"--port={self.port}",
                 f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"],
                stdout=log, stderr=log,
            )  # fmt: skip
        asyncio.run(self._answers())

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self._folder / "data"

    def new_database(self, *statements: str) -> str:
        """The name of an empty database of a test's own, in which these were executed."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        self.execute(*statements, database=name)
        return name

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """What the last statement answers."""
        return asyncio.run(self.execute_soon(*statements, database=database))

    async def execute_soon(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        connection = await asyncmy.connect(
            host="127.0.0.1", port=self.port, user="root", password="", database=database, autocommit=True
        )
        try:
            async with connection.cursor() as cursor:
                for statement in statements:
                    await cursor.execute(statement)
                    rows = list(await cursor.fetchall() or ())
        finally:
            connection.close()
        return rows

    def stop(self) -> None:
        self._server.kill()
        self._server.wait(timeout=30)

    async def _answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                await self.execute_soon("SELECT 1")
            except (OSError, errors.MySQLError):
                assert time.monotonic() < deadline, self._log.read_text()[-3000:]
                assert self._server.poll() is None, self._log.read_text()[-3000:]
                await asyncio.sleep(0.05)
            else:
                return


@contextmanager
def running_mariadb(*options: str) -> Iterator[MariadbServer]:
    """With these options, too. Where no server is installed the test is skipped, or fails if it must be complete."""
    program = shutil.which("mariadbd") or shutil.which("mysqld")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("there is no mariadbd; install mariadb-server")
        pytest.skip("there is no mariadbd; install mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="studio-mariadb-"))
    folder.chmod(0o755)
    server = None
    try:
        server = MariadbServer(folder, program, *options)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder)
