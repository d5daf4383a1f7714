"""Whether a database in a file was written to."""

from __future__ import annotations

import contextlib
from pathlib import Path


def stamp_of(path: Path) -> str:
    """Another whenever the file, or the log of writes beside it, was written to or replaced."""
    parts = []
    for name in (path.name, f"{path.name}-wal", f"{path.name}.wal"):
        with contextlib.suppress(OSError):
            status = path.with_name(name).stat()
            # A log that is opened to be read is made, and empty.
            if status.st_size:
                parts.append(f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}")
    return "/".join(parts)
