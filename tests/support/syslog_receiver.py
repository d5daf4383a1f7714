"""A syslog receiver as a process of its own: octet counting (RFC 6587), over TLS if it is given a certificate.

    python syslog_receiver.py PORT FILE [CERTIFICATE KEY [CLIENTS]]

Each message is on disk, a line of FILE, before the next is taken from the connection. A message that is no RFC 5424
ends the process with an error. `Message` and `read_message` are for tests.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server_process import free_port

_PRINTABLE = "[!-~]"
_NAME = r"[!#-<>-\\^-~]{1,32}"
_VALUE = r'(?:[^"\\\]]|\\["\\\]])*'
_MESSAGE = re.compile(
    rf"<(?P<priority>0|[1-9][0-9]{{0,2}})>1 "
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})) "
    rf"(?P<host>{_PRINTABLE}{{1,255}}) (?P<app>{_PRINTABLE}{{1,48}}) (?P<process>{_PRINTABLE}{{1,128}}) "
    rf'(?P<kind>{_PRINTABLE}{{1,32}}) (?P<data>-|(?:\[{_NAME}(?: {_NAME}="{_VALUE}")*\])+)(?: (?P<text>.*))?',
    re.DOTALL,
)
_PARAMETER = re.compile(rf' ({_NAME})="({_VALUE})"')
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Message:
    """A message of RFC 5424 with its structured data and its text, which is JSON."""

    priority: int
    time: str
    host: str
    kind: str
    data: dict[str, str]
    event: dict[str, Any]

    @property
    def number(self) -> int:
        return int(self.data["number"])


def read_message(line: str) -> Message:
    """Raises ValueError for what RFC 5424 does not allow."""
    match = _MESSAGE.fullmatch(line)
    if match is None or int(match["priority"]) > 191:
        raise ValueError(f"this is no message of RFC 5424: {line[:200]!r}")
    data = {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in _PARAMETER.findall(match["data"])}
    return Message(int(match["priority"]), match["time"], match["host"], match["kind"], data, json.loads(match["text"]))


def frames(connection: socket.socket) -> Iterator[str]:
    """The messages of a connection, until the other side closes it. Raises ValueError for wrong framing, OSError."""
    waiting = b""
    while True:
        head = re.match(rb"([1-9][0-9]{0,8}) ", waiting)
        if head is not None and len(waiting) >= head.end() + int(head[1]):
            end = head.end() + int(head[1])
            yield waiting[head.end() : end].decode("ascii")
            waiting = waiting[end:]
            continue
        if waiting and head is None and not re.fullmatch(rb"[1-9][0-9]{0,8}", waiting):
            raise ValueError(f"this is no length: {waiting[:20]!r}")
        chunk = connection.recv(4096)
        if not chunk:
            break
        waiting += chunk


def missing_of(messages: Sequence[Message], first: int, last: int) -> list[int]:
    """The numbers from `first` to `last` that did not come."""
    return sorted(set(range(first, last + 1)) - {message.number for message in messages})


def first_unproven(messages: Sequence[Message]) -> int | None:
    """The number of the first row that is not what its hash says, or not chained to the one before; as a SIEM would."""
    rows = {message.number: message for message in messages}
    for number in sorted(rows):
        row = rows[number]
        sealed = row.event["raw_data"]
        is_whole = hashlib.sha256(sealed.encode()).hexdigest() == row.data["mark"]
        before = rows.get(number - 1)
        is_chained = (
            before is None or before.data["mark"] == row.data["previous"] == json.loads(sealed)["previous_hash"]
        )
        if not is_whole or not is_chained or json.loads(sealed)["id"] != number:
            return number
    return None


class SyslogReceiver:
    """The process: started, killed and started again at the same port; what came is in its file."""

    def __init__(self, folder: Path, *certificates: Path) -> None:
        self.port = free_port()
        self.file = folder / "received"
        self._certificates = certificates
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns once it listens."""
        command = [sys.executable, __file__, str(self.port), str(self.file), *map(str, self._certificates)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def kill(self) -> None:
        """At once, with whatever it has not written; nothing if it was killed already."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def messages(self) -> list[Message]:
        """All that came, in its order; the last line may be half there if it was killed."""
        lines = self.file.read_text(encoding="ascii").split("\n")[:-1] if self.file.exists() else []
        return [read_message(line) for line in lines]


def _take(connection: socket.socket, path: str) -> None:
    try:
        with connection, Path(path).open("a", encoding="ascii") as file:
            for message in frames(connection):
                read_message(message)
                file.write(f"{message}\n")
                file.flush()
            if isinstance(connection, ssl.SSLSocket):
                connection.unwrap()
    except OSError as error:
        print(error, file=sys.stderr)


def main(port: str, path: str, *certificates: str) -> None:
    context = None
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificates[:2])
        if len(certificates) > 2:
            context.load_verify_locations(certificates[2])
            context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        print("listening", flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, context, path), daemon=True).start()


def _serve(connection: socket.socket, context: ssl.SSLContext | None, path: str) -> None:
    try:
        secured = connection if context is None else context.wrap_socket(connection, server_side=True)
    except OSError as error:
        print(error, file=sys.stderr)
        connection.close()
        return
    _take(secured, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
