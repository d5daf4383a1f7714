"""What is installed is what was looked at: every dependency stands in the lock files, in one version, by its hashes."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements.server.lock")
_PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z0-9,._-]+\])?==(?P<version>[^\s;]+)( ; [^\\]+)?( \\)?$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(lock: str) -> dict[str, list[str]]:
    """Each name with its hashes. Fails at a line that is neither a pin nor a hash."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (ROOT / lock).read_text().splitlines():
        if match := _PIN.match(line):
            name = match["name"]
            found.setdefault(name, [])
        else:
            assert _HASH.match(line), f"{lock}: {line!r} is neither a pin nor a hash"
            found[name].append(line)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_dependency_is_pinned_with_hashes(lock: str) -> None:
    found = pins(lock)
    assert len(found) > 20
    assert [name for name, hashes in found.items() if not hashes] == []


def test_what_the_server_needs_is_locked_in_the_versions_that_are_tested() -> None:
    tested = set((ROOT / LOCKS[0]).read_text().splitlines())
    served = {line for line in (ROOT / LOCKS[1]).read_text().splitlines() if _PIN.match(line)}
    assert {line.partition(" ;")[0].removesuffix(" \\") for line in served} <= {
        line.partition(" ;")[0].removesuffix(" \\") for line in tested
    }


def test_every_dependency_of_the_project_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        re.split(r"[\s\[<>=!~;]", each, maxsplit=1)[0].lower().replace("_", "-") for each in project["dependencies"]
    }
    assert named <= pins(LOCKS[1]).keys()


def test_installing_takes_nothing_else() -> None:
    for file in ("Makefile", "Dockerfile"):
        text = (ROOT / file).read_text().replace("\\\n", " ")
        for line in text.splitlines():
            if re.search(r"requirements(\.server)?\.lock", line) and "install" in line:
                assert "--require-hashes" in line, f"{file}: {line}"
