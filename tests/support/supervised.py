"""What a supervisor runs in tests instead of a server: processes that behave, and some that do not."""

import contextlib
import signal
import socket
import time
from multiprocessing.connection import Connection

from server.settings import Settings
from server.supervisor import READY


def ends_at_once(settings: Settings, listener: socket.socket, lifeline: Connection) -> int:
    return 3


def serves(settings: Settings, listener: socket.socket, lifeline: Connection) -> int:
    """Tells each caller its index and process, until it is told to stop."""
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    lifeline.send_bytes(READY)
    listener.settimeout(0.02)
    while running and not lifeline.poll():
        with contextlib.suppress(TimeoutError):
            caller, _ = listener.accept()
            with caller:
                caller.sendall(str(settings.worker_index).encode())
    return 0


def stays(settings: Settings, listener: socket.socket, lifeline: Connection) -> int:
    """Whatever it is told."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lifeline.send_bytes(READY)
    time.sleep(600)
    return 0
