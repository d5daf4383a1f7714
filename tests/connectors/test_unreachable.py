"""A source that cannot be opened says which of all that can be wrong is wrong, and never shows a password."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sources import SECRET, Source

from connectors import errors
from connectors.datasets import Kind
from connectors.opening import open_connector
from connectors.settings import SourceSettings

SERVERS = [Kind.POSTGRESQL, Kind.MYSQL]
in_servers = pytest.mark.parametrize("source", SERVERS, indirect=True)


def refusal(source: Source, **changes: Any) -> errors.ConnectorError:
    async def run() -> None:
        async with await source.open(**changes):
            pass

    with pytest.raises(errors.ConnectorError) as raised:
        asyncio.run(run())
    assert SECRET not in str(raised.value)
    return raised.value


@contextlib.contextmanager
def listening(greeting: bytes | None = None) -> Iterator[int]:
    """A port where somebody listens who says this, or nothing."""

    def answer() -> None:
        # Ends when the listener is closed.
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.sendall(greeting or b"")
                    client.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        if greeting is not None:
            threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@in_servers
@pytest.mark.parametrize(
    ("changes", "error", "word"),
    [
        ({"password": "wrong"}, errors.LoginRefused, "reader_"),
        ({"password": None}, errors.LoginRefused, "reader_"),
        ({"user": "nobody_at_all"}, errors.LoginRefused, "nobody_at_all"),
        ({"database": "nowhere"}, errors.DatabaseNotFound, "nowhere"),
        ({"host": "no-such-host.invalid"}, errors.HostNotFound, "no-such-host.invalid"),
        ({"port": 1}, errors.ConnectionRefused, ":1"),
        ({"tls": "require"}, errors.TlsFailed, "encrypted"),
        ({"tls": "verify", "ca_certificate": "nonsense"}, errors.BadSettings, "PEM"),
        ({"host": None}, errors.BadSettings, "host"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_told(
    source: Source, changes: dict[str, Any], error: type[errors.ConnectorError], word: str
) -> None:
    told = refusal(source, **changes)
    assert type(told) is error, told
    assert word in str(told)


@in_servers
def test_a_silent_server_is_not_waited_for(source: Source) -> None:
    with listening() as port:
        told = refusal(source.limited(connect_seconds=0.5), port=port)
    assert type(told) is errors.ConnectTimeout


@in_servers
@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 200])
def test_another_kind_of_server_is_recognised(source: Source, greeting: bytes) -> None:
    with listening(greeting) as port:
        told = refusal(source.limited(connect_seconds=2.0), port=port)
    assert isinstance(told, errors.NotThatServer | errors.SourceLost | errors.TlsFailed), told


@pytest.mark.parametrize("kind", [Kind.SQLITE, Kind.DUCKDB])
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, errors.PathNotFound),
        (b"", errors.WrongFormat),
        (b"a,b\n1,2\n" * 100, errors.WrongFormat),
        (b"SQLite format 3\0" + b"\xff" * 5000, errors.WrongFormat),
        (b"\0" * 8 + b"DUCK" + b"\xff" * 20000, errors.WrongFormat),
    ],
    ids=["missing", "empty", "text", "broken sqlite", "broken duckdb"],
)
def test_files_that_are_no_databases(
    tmp_path: Path, kind: Kind, content: bytes | None, error: type[errors.ConnectorError]
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error) as raised:
        asyncio.run(open_connector(kind, SourceSettings(path=path)))
    assert "file" in str(raised.value)


@pytest.mark.parametrize("kind", [Kind.SQLITE, Kind.DUCKDB, Kind.FILES])
def test_paths_outside_of_the_roots_are_refused_whether_they_are_there_or_not(tmp_path: Path, kind: Kind) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_bytes(b"SQLite format 3\0")
    (root / "link").symlink_to(outside)
    for path in (
        outside,
        outside / "secret",
        outside / "nothing",
        root / "link",
        root / ".." / "outside",
        root / "link" / "secret",
    ):
        with pytest.raises(errors.PathForbidden, match="outside of the folders"):
            asyncio.run(open_connector(kind, SourceSettings(path=path, roots=(root,))))
    with pytest.raises(errors.BadSettings, match="absolute"):
        asyncio.run(open_connector(kind, SourceSettings(path=Path("root"), roots=(root,))))
    with pytest.raises(errors.PathNotFound):
        asyncio.run(open_connector(kind, SourceSettings(path=root / "nothing", roots=(root,))))


@in_servers
def test_a_server_that_goes_and_comes_back(source: Source) -> None:
    """A session that broke is not used again."""

    async def scenario() -> None:
        async with await source.open() as connector:
            await connector.test()
            await asyncio.to_thread(_cut, source)
            for _ in range(5):
                with contextlib.suppress(errors.SourceLost):
                    await connector.test()
                    break
            await connector.test()

    asyncio.run(scenario())


def _cut(source: Source) -> None:
    if source.kind is Kind.POSTGRESQL:
        source.write("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'reader%'")
    else:
        source.write(f"KILL USER {source.settings.user}")
