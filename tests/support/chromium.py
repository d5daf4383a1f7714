"""A headless Chromium, driven over its DevTools protocol: pages of separate people, typing, waiting for what shows."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox: in a container there is none to be had. The rest keeps it from talking to anybody but the pages' servers.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
ANNOUNCEMENT = "DevTools listening on "
ANSWER_SECONDS = 30.0


def find_chromium() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium(executable: str, folder: Path) -> Iterator["Browser"]:
    """A browser with its profile in a folder, ended with the block."""
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [executable, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(process.kill)
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith(ANNOUNCEMENT):
                break
        else:
            raise RuntimeError(f"Chromium ended: {''.join(lines)}")
        url = line.removeprefix(ANNOUNCEMENT).strip()
        yield Browser(stack.enter_context(connect(url, max_size=None, compression=None)))


class Browser:
    """One connection to DevTools; `errors` are the exceptions that no page caught."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._count = 0
        self._loaded: set[str] = set()
        self.errors: list[str] = []

    def open(self, url: str) -> "Page":
        """A page of its own person: it shares no storage with the others. Returns when it has loaded."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Runtime.enable", session)
        self.call("Page.enable", session)
        # Every page believes that its window is the one in front; otherwise carets are not shared.
        self.call("Emulation.setFocusEmulationEnabled", session, enabled=True)
        self.call("Page.navigate", session, url=url)
        deadline = time.monotonic() + ANSWER_SECONDS
        while session not in self._loaded:
            self._take(deadline)
        return Page(self, session)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        self._socket.send(json.dumps(message if session is None else {**message, "sessionId": session}))
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = self._take(deadline)
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def _take(self, deadline: float) -> dict[str, Any]:
        message = dict(json.loads(self._socket.recv(timeout=max(0.0, deadline - time.monotonic()))))
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(message["params"]["exceptionDetails"]))
        elif message.get("method") == "Page.loadEventFired":
            self._loaded.add(message["sessionId"])
        return message


class Page:
    """One page; expressions are JavaScript that is evaluated in it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def evaluate(self, expression: str) -> Any:
        answer = self._browser.call(
            "Runtime.evaluate", self._session, expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str, seconds: float = 25.0) -> None:
        """Returns as soon as the condition holds; fails with what the page shows at the deadline."""
        held = self.evaluate(
            f"""new Promise((resolve) => {{
                const end = performance.now() + {seconds * 1000}
                const look = () => {{
                    if ({condition}) resolve(true)
                    else if (performance.now() > end) resolve(false)
                    else setTimeout(look, 20)
                }}
                look()
            }})"""
        )
        assert held, f"{condition} did not come true; the page shows:\n{self.evaluate('document.body.innerText')}"

    def type(self, selector: str, text: str) -> None:
        """Put the caret into an element and the text where the caret is."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self._browser.call("Input.insertText", self._session, text=text)
