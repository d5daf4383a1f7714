"""Users of Collab Studio for the load, made by its own commands.

They are made once, in a database that every measured server starts from a copy of.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backing_services import POSTGRES_DATA
from benchmarks.cores import Cores
from benchmarks.processes import ServerError
from benchmarks.servers import (
    EMBEDDED_DATA,
    ROOT,
    STUDIO,
    Running,
    running,
    scratch_folder,
    studio_arguments,
    studio_database,
)

# As many as write in the busiest row, so that each writer's edits are attributed to a user of its own.
USERS = 10
WORKSPACE = "default"
LIFETIME = "12h"


@dataclass(frozen=True, slots=True)
class Accounts:
    """A database whose users may write in the workspace, and their tokens."""

    database: Path
    tokens: tuple[str, ...]

    def copy_into(self, folder: Path) -> None:
        """Give a run that begins in this folder a database of its own."""
        # With owners and permissions: PostgreSQL looks at both.
        subprocess.run(["cp", "--archive", str(self.database), str(folder)], check=True)


@contextmanager
def accounts(cores: Cores, *, shared: bool) -> Iterator[Accounts]:
    """Make the users beside a first start of the server, which is what makes the workspace.

    They are in PostgreSQL if shared, else in an embedded database.
    """
    with scratch_folder() as folder:
        with running(STUDIO, cores, folder, shared=shared) as started:
            tokens = tuple(_token(f"writer-{number}", folder, started) for number in range(USERS))
        yield Accounts(folder / (POSTGRES_DATA if shared else EMBEDDED_DATA), tokens)


def _token(user: str, folder: Path, started: Running) -> str:
    role = ("--workspace", WORKSPACE, "--role", "editor", "--expires", LIFETIME)
    database = studio_database(folder / EMBEDDED_DATA, started.services)
    command = studio_arguments("token", "--user", user, *role, *database)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise ServerError(f"collab-studio token: {done.stderr.strip()}")
    # The token stands alone on the last line.
    return done.stdout.split()[-1]
