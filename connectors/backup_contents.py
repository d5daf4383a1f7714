"""What is in a backup, how it is told from something else, and how a file comes to be whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import BackupError, DiskFull, TargetExists

Tell = Callable[[int, int], None]
"""Called with how much is done, of how much."""

CHUNK_BYTES = 1024 * 1024
# More would say nothing that the first do not.
MOST_DIFFERENCES = 50


@dataclass(frozen=True, slots=True)
class Piece:
    """A table with its number of rows (None: not counted), or a file with its digest."""

    name: str
    rows: int | None = None
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a backup holds, by name. `tool` made it; `integrity` is what the database says of itself."""

    pieces: tuple[Piece, ...]
    tool: str
    integrity: str | None = None


def differences(made: Contents, found: Contents) -> list[str]:
    """What was found is not what was made: a sentence each, none where all is well."""
    before, after = ({piece.name: piece for piece in each.pieces} for each in (made, found))
    told = [f"{name!r} is missing." for name in before if name not in after]
    told += [f"{name!r} was not there." for name in after if name not in before]
    for name in before.keys() & after.keys():
        told += _of_piece(before[name], after[name])
    if found.integrity not in (None, "ok"):
        told.append(f"The integrity check says: {found.integrity}.")
    return sorted(told)[:MOST_DIFFERENCES]


def _of_piece(made: Piece, found: Piece) -> list[str]:
    # A count that was not made then, or cannot be made now, says nothing.
    if made.rows is not None and found.rows is not None and made.rows != found.rows:
        return [f"{made.name!r} has {found.rows} rows instead of {made.rows}."]
    if made.sha256 != found.sha256:
        return [f"{made.name!r} holds other bytes than it did."]
    return []


def digest_of(path: Path) -> str:
    """SHA-256 of a file, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_room(folder: Path, needed: int) -> None:
    """Raises DiskFull where so many bytes would not fit."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(f"about {needed} bytes are needed below {folder.name!r}, and {free} are free")


def refuse_existing(target: Path) -> None:
    """Raises TargetExists."""
    if target.exists() or target.is_symlink():
        raise TargetExists(f"{str(target)!r} is there already; name a path at which there is nothing")


@contextlib.contextmanager
def telling_disk() -> Iterator[None]:
    """Raises a BackupError for what the file system raises inside the block."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("the disk is full") from None
        raise BackupError(f"{error.strerror or error}" + (f": {error.filename!r}" if error.filename else "")) from None
