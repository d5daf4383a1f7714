"""Work in a process of its own: it holds up nothing here, and is killed when its caller is cancelled.

For what may take minutes and may be stopped at any moment. What is short and often goes to `workers.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import pickle
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar, TypeVarTuple, Unpack

from connectors.errors import ConnectorError
from handlers.workers import settle_in

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
Tell = Callable[[int, int], None]

_END_SECONDS = 2.0


class ChildLostError(RuntimeError):
    """The process died under its work: out of memory most often, or a file that its library cannot bear."""


async def run_in_child(
    function: Callable[[Tell, Unpack[Arguments]], T], *args: *Arguments, tell: Tell | None = None
) -> T:
    """What `function(tell, *args)` answers there; `tell` is called with what it tells meanwhile.

    Raises what the function raises, ChildLostError. The function is one of a module, its arguments can be pickled.
    """
    loop = asyncio.get_running_loop()
    # spawn: a forked child would inherit sockets, threads' locks and the loop.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, function, args), name="child-work", daemon=True)
    answer: asyncio.Future[Any] = loop.create_future()
    try:
        await asyncio.to_thread(process.start)
        theirs.close()
        threading.Thread(target=_listen, args=(ours, loop, answer, tell), name="child-work", daemon=True).start()
        kind, value = await answer
    finally:
        await _end(process)
    if kind == "failed":
        raise value
    return value  # type: ignore[no-any-return]


async def _end(process: multiprocessing.process.BaseProcess) -> None:
    if process.pid is None:
        return
    process.kill()
    # Killed, it is gone at once; waiting for it must not be cancelled with its caller.
    await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, process.join, _END_SECONDS))


def _listen(pipe: Connection, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any], tell: Tell | None) -> None:
    """On a thread: passes on what the process says until it has answered or is gone."""

    def settle(message: tuple[str, Any]) -> None:
        if not answer.done():
            answer.set_result(message)

    def told(values: Any) -> None:
        if tell is not None and not answer.done():
            tell(*values)

    message: tuple[str, Any] = ("", None)
    while message[0] not in ("done", "failed"):
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            message = ("failed", ChildLostError("the process that did it has died; out of memory, most often"))
        except Exception as error:
            message = ("failed", ChildLostError(f"{type(error).__name__}: {error}"))
        with contextlib.suppress(RuntimeError):  # the loop is closed
            if message[0] == "told":
                loop.call_soon_threadsafe(told, message[1])
            else:
                loop.call_soon_threadsafe(settle, message)
    pipe.close()


def _serve(pipe: Connection, function: Callable[..., Any], args: Any) -> None:
    settle_in()

    def tell(done: int, total: int) -> None:
        pipe.send(("told", (done, total)))

    try:
        answer = ("done", function(tell, *args))
    except Exception as error:
        answer = ("failed", _portable(error))
    pipe.send(answer)


def _portable(error: Exception) -> Exception:
    """The error, if the other side can make it again; what it says otherwise."""
    if isinstance(error, ConnectorError):
        return type(error)(str(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
