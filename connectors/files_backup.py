"""Backups of a folder's data files: an archive, with a list of the files and their digests. All of this blocks."""

from __future__ import annotations

import hashlib
import json
import tarfile
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

from connectors.backup_contents import CHUNK_BYTES, Contents, Piece, Tell, refuse_existing, require_room, telling_disk
from connectors.errors import BackupError, DamagedBackup
from connectors.file_listing import FileEntry, find_all

# A listing never holds hidden files, so that none of the data can be called this.
MANIFEST = ".manifest.json"
TOOL = "tar with gzip"
# Most data files are compressed already; the lowest level is the quickest.
_LEVEL = 1


def back_up(folder: Path, pattern: str, target: Path, tell: Tell) -> Contents:
    """Makes `target`. Raises ConnectorError, as for a file that changed while it was read."""
    with telling_disk():
        entries = find_all(folder, pattern)
        total = sum(entry.size for entry in entries)
        require_room(target.parent, total)
        pieces, done = [], 0
        with tarfile.open(target, "w:gz", compresslevel=_LEVEL) as archive:
            for entry in entries:
                pieces.append(_add(archive, entry))
                done += entry.size
                tell(done, total)
            _add_manifest(archive, pieces)
    return Contents(tuple(pieces), TOOL)


def restore(archive: Path, target: Path) -> Contents:
    """Makes the folder `target` out of a backup, and tells what is in it. Raises ConnectorError, TargetExists."""
    with telling_disk():
        refuse_existing(target)
        target.mkdir()
        try:
            with tarfile.open(archive, "r:gz") as packed:
                packed.extractall(target, filter="data")
            manifest = target / MANIFEST
            listed = {piece["name"]: piece["sha256"] for piece in json.loads(manifest.read_bytes())}
            manifest.unlink()
        except (tarfile.TarError, EOFError, ValueError, FileNotFoundError) as error:
            raise DamagedBackup(f"the archive cannot be read: {error}") from None
        found = contents(target)
    if {piece.name: piece.sha256 for piece in found.pieces} != listed:
        raise DamagedBackup("the archive holds other files than its manifest lists")
    return found


def contents(folder: Path) -> Contents:
    """What is in a folder that was restored."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return Contents(tuple(_piece(folder, path) for path in paths), TOOL)


class _Hashing:
    """A file whose reader leaves a digest behind."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _add(archive: tarfile.TarFile, entry: FileEntry) -> Piece:
    information = tarfile.TarInfo(entry.name)
    information.size, information.mtime, information.mode = entry.size, entry.modified_ns // 10**9, 0o600
    with entry.path.open("rb") as file:
        hashing = _Hashing(file)
        try:
            archive.addfile(information, hashing)
        except OSError as error:
            if error.errno is not None:
                raise
            raise _changed(entry) from None
    status = entry.path.stat()
    if (status.st_size, status.st_mtime_ns) != (entry.size, entry.modified_ns):
        raise _changed(entry)
    return Piece(entry.name, bytes=entry.size, sha256=hashing.digest.hexdigest())


def _changed(entry: FileEntry) -> BackupError:
    return BackupError(f"{entry.name!r} changed while it was read; try again when nobody writes to it")


def _add_manifest(archive: tarfile.TarFile, pieces: list[Piece]) -> None:
    listed = [{"name": piece.name, "bytes": piece.bytes, "sha256": piece.sha256} for piece in pieces]
    data = json.dumps(listed, indent=1).encode()
    information = tarfile.TarInfo(MANIFEST)
    information.size = len(data)
    archive.addfile(information, BytesIO(data))


def _piece(folder: Path, path: Path) -> Piece:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
            size += len(data)
    name = PurePosixPath(path.relative_to(folder)).as_posix()
    return Piece(name, bytes=size, sha256=digest.hexdigest())
