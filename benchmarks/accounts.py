"""Users of Collab Studio for the load, made by its own commands.

They are made once, in a data folder that every measured server starts from a copy of.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import ROOT, STUDIO, ServerError, running, scratch_folder, studio_arguments

# As many as write in the busiest row, so that each writer's edits are attributed to a user of its own.
USERS = 10
WORKSPACE = "default"
LIFETIME = "12h"


@dataclass(frozen=True, slots=True)
class Accounts:
    """A data folder whose users may write in the workspace, and their tokens."""

    data: Path
    tokens: tuple[str, ...]


@contextmanager
def accounts(core: int) -> Iterator[Accounts]:
    """Make the users beside a first start of the server, which is what makes the workspace."""
    with scratch_folder() as folder:
        with running(STUDIO, core, folder):
            tokens = tuple(_token(f"writer-{number}", folder / "data") for number in range(USERS))
        yield Accounts(folder / "data", tokens)


def _token(user: str, data: Path) -> str:
    role = ("--workspace", WORKSPACE, "--role", "editor", "--expires", LIFETIME)
    command = studio_arguments("token", "--user", user, *role, "--data", str(data))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise ServerError(f"collab-studio token: {done.stderr.strip()}")
    # The token stands alone on the last line.
    return done.stdout.split()[-1]
