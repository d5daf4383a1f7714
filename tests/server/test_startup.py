"""What must be there before a start, and the one line that says it is not."""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.settings import Settings
from server.startup import (
    HEAPS,
    StartError,
    address_of,
    allow_open_files,
    bind,
    bind_for_each,
    calm_arithmetic,
    find_problems,
    only_server,
    open_database,
    prepare_folder,
    sqlite_file,
)
from storage.database import Database

ROOT = Path(__file__).parents[2]


def test_the_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("name", ["file/data", "file"])
def test_a_folder_that_cannot_be_written_to_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError) as caught:
        prepare_folder(tmp_path / name)
    assert str(caught.value).startswith(f"cannot write to the folder {tmp_path / name}: ")
    assert "--data" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_database_is_opened_and_migrated(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = await open_database(Settings(data=tmp_path / "deep" / "data"))
        await database.close()

    asyncio.run(scenario())
    assert (tmp_path / "deep" / "data" / "studio.sqlite3").exists()


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "studio.sqlite3").write_bytes(b"this is a letter, not a database" * 40)
    with pytest.raises(StartError) as caught:
        asyncio.run(open_database(Settings(data=tmp_path)))
    assert "cannot use the database" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_not_there_is_told_without_its_password() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://studio:hunter2@127.0.0.1:{closed.getsockname()[1]}/studio"
        with pytest.raises(StartError) as caught:
            asyncio.run(open_database(Settings(database_url=url)))
    assert "hunter2" not in str(caught.value)
    assert "postgresql://studio:***@127.0.0.1" in str(caught.value)


def test_a_database_of_a_newer_version_is_left_alone_and_told_in_one_line(postgres_url: str) -> None:
    async def scenario() -> None:
        database = await Database.open(postgres_url)
        async with database.write() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        await database.close()
        with pytest.raises(StartError) as caught:
            await open_database(Settings(database_url=postgres_url))
        assert "the database was migrated by a newer version of the program" in str(caught.value)
        assert "\n" not in str(caught.value)

    asyncio.run(scenario())


def test_a_port_of_ones_own() -> None:
    with bind(Settings(port=0)) as listener, socket.create_connection(listener.getsockname()):
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_is_told() -> None:
    with bind(Settings(port=0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartError, match=rf"^port {port} on 127.0.0.1 is in use .* --port$"):
            bind(Settings(port=port))


def test_each_process_has_a_socket_on_one_port() -> None:
    listeners = bind_for_each(Settings(port=0), 3)
    try:
        assert len(listeners) == 3
        assert len({listener.getsockname() for listener in listeners}) == 1
        with pytest.raises(StartError, match="is in use"):
            bind_for_each(Settings(port=listeners[0].getsockname()[1]), 2)
    finally:
        for listener in listeners:
            listener.close()


def test_as_many_connections_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        allow_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_threads_share_what_is_free() -> None:
    """In a process of its own, for it is for good: eight threads at once, and how many heaps glibc has then."""
    program = """
import ctypes, sys, threading
from server.startup import share_heaps
c = ctypes.CDLL(None)
if not hasattr(c, "malloc_info"):
    sys.exit("not glibc")
share_heaps()
barrier = threading.Barrier(8)
def work():
    barrier.wait()
    kept = [bytes(2000) for _ in range(100)]
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
c.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(c.fdopen(1, b"w"))
c.malloc_info(0, out)
c.fflush(out)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    if ended.stderr.strip() == "not glibc":
        pytest.skip("its malloc has no heaps of threads")
    assert 1 <= ended.stdout.count("<heap nr=") <= HEAPS, ended.stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 300, "..", "\u2603" * 70])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with pytest.raises(StartError, match="--host"):
        bind(Settings(host=host, port=0))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(port=0), "http://127.0.0.1:{port}"),
        (Settings(host="0.0.0.0", port=0), "http://localhost:{port}"),
        (Settings(host="localhost", port=0), "http://localhost:{port}"),
        (Settings(port=0, public_url="https://studio.example"), "https://studio.example"),
    ],
)
def test_the_address_that_people_are_told(settings: Settings, expected: str) -> None:
    with bind(settings) as listener:
        assert address_of(settings, listener) == expected.format(port=listener.getsockname()[1])


def test_the_file_of_a_database_url(tmp_path: Path) -> None:
    assert sqlite_file(f"sqlite:///{tmp_path}/x.sqlite3") == tmp_path / "x.sqlite3"
    assert sqlite_file("sqlite:///data/x.sqlite3") == Path("data/x.sqlite3").absolute()
    assert sqlite_file("postgresql://host/name") is None


def test_good_settings_have_no_problems_and_are_not_acted_on(tmp_path: Path) -> None:
    assert asyncio.run(find_problems(Settings(data=tmp_path / "later", port=0))) == []
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_there_is_tried(tmp_path: Path, sqlite_url: str) -> None:
    assert asyncio.run(find_problems(Settings(database_url=sqlite_url, port=0))) == []
    (tmp_path / "studio.sqlite3").write_bytes(b"this is a letter, not a database" * 40)
    (problem,) = asyncio.run(find_problems(Settings(data=tmp_path, port=0)))
    assert "cannot use the database" in problem


def test_every_problem_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with socket.socket() as closed, bind(Settings(port=0)) as taken:
        closed.bind(("127.0.0.1", 0))
        settings = Settings(
            data=tmp_path / "file",
            port=taken.getsockname()[1],
            redis_url=f"redis://:hunter2@127.0.0.1:{closed.getsockname()[1]}/0",
        )
        folder, redis, port = asyncio.run(find_problems(settings))
    assert folder.startswith("cannot write to the folder")
    assert redis.startswith("cannot reach Redis at redis://:***@")
    assert port.startswith("port ")
    assert "hunter2" not in folder + redis + port


def test_an_embedded_database_is_served_by_one_server_only(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with only_server(settings), pytest.raises(StartError, match="another server already serves"):
        only_server(settings).__enter__()
    with only_server(settings):
        assert (tmp_path / "studio.sqlite3.lock").exists()


def test_processes_to_come_multiply_on_one_thread_unless_told_otherwise() -> None:
    environ = {"OPENBLAS_NUM_THREADS": "3"}
    calm_arithmetic(environ)
    assert environ == {"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "1"}
