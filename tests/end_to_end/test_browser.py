"""The example page in a real browser: two people, TipTap and CodeMirror, each sees the other's text and caret."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from chromium import Browser, Page, chromium, find_chromium
from javascript import NODE
from server_process import ROOT, ServerProcess

EDITORS = ROOT / "examples" / "editors"
ALL_SAVED = "[...document.querySelectorAll('.status')].every((line) => line.textContent === 'Connected, saved')"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None and os.environ.get("CI"):
        pytest.fail("Chromium is missing; in CI this test must run (Debian: apt-get install chromium)")
    if executable is None:
        pytest.skip("Chromium is missing")
    with chromium(executable, tmp_path) as running:
        yield running


@pytest.fixture
def site() -> Iterator[str]:
    """The address of the page, built and served as its users do it."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    def npm(*command: str) -> None:
        done = subprocess.run(
            ["npm", *command], cwd=EDITORS, env=environment, check=False, capture_output=True, timeout=240
        )
        assert done.returncode == 0, f"npm {command[0]}: {done.stderr.decode()}"

    installed = EDITORS / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (EDITORS / "package-lock.json").stat().st_mtime:
        npm("ci", "--ignore-scripts")
    npm("run", "build")
    with subprocess.Popen([NODE, "serve.mjs", "0"], cwd=EDITORS, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            yield serving.stdout.readline().removeprefix("Open ").strip()
        finally:
            serving.kill()


def sign_in(browser: Browser, site: str, server: ServerProcess, user: str) -> Page:
    page = browser.open(f"{site}/#{urlencode({'server': server.socket_url, 'token': server.token(user)})}")
    page.wait_for(ALL_SAVED)
    return page


def shows(selector: str, text: str) -> str:
    return f"document.querySelector('{selector}')?.textContent.includes('{text}')"


@pytest.mark.timeout(300)
def test_two_people_see_each_others_text_and_carets(server: ServerProcess, site: str, browser: Browser) -> None:
    ada = sign_in(browser, site, server, "ada")
    bob = sign_in(browser, site, server, "bob")

    ada.type(".tiptap", "ada writes in TipTap")
    bob.wait_for(shows(".tiptap", "ada writes in TipTap"))
    bob.wait_for(shows(".collaboration-carets__label", "ada"))

    bob.type(".cm-content", "select 'bob' from codemirror")
    ada.wait_for(shows(".cm-content", "select \\'bob\\' from codemirror"))
    ada.wait_for(shows(".cm-ySelectionInfo", "bob"))

    for page, other in ((ada, "bob"), (bob, "ada")):
        page.wait_for(ALL_SAVED)
        page.wait_for(shows("#people", other))
    assert not browser.errors
