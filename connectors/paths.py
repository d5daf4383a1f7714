"""Which files may be read: below the folders that the operator named, and nothing that a link leads out of them."""

from __future__ import annotations

from pathlib import Path

from connectors.errors import BadSettings, PathForbidden, PathNotFound


def resolve(path: Path | None, roots: tuple[Path, ...] | None) -> Path:
    """The real path, all links followed. Raises BadSettings, PathForbidden, PathNotFound.

    Whether a path outside of the roots exists is not told.
    """
    if path is None:
        raise BadSettings("the path is missing")
    if not path.is_absolute():
        raise BadSettings(f"{str(path)!r} is not an absolute path; begin it with a slash")
    try:
        real = path.resolve(strict=False)
        if not inside(real, roots):
            raise PathForbidden(_outside(path, roots))
        real.stat()
    except FileNotFoundError:
        raise PathNotFound(f"there is no {str(path)!r} on the server's machine") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise PathForbidden(f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return real


def resolve_file(path: Path | None, roots: tuple[Path, ...] | None) -> Path:
    """As `resolve`, of a file that may be read."""
    real = resolve(path, roots)
    if not real.is_file():
        raise PathNotFound(f"{str(path)!r} is not a file")
    try:
        with real.open("rb"):
            pass
    except OSError as error:
        raise PathForbidden(f"{str(path)!r} cannot be read: {error.strerror}") from None
    return real


def resolve_folder(path: Path | None, roots: tuple[Path, ...] | None) -> Path:
    """As `resolve`, of a folder."""
    real = resolve(path, roots)
    if not real.is_dir():
        raise PathNotFound(f"{str(path)!r} is not a folder")
    return real


def inside(real: Path, roots: tuple[Path, ...] | None) -> bool:
    """Whether a real path is one of the roots or lies below one."""
    return roots is None or any(real.is_relative_to(root.resolve()) for root in roots)


def _outside(path: Path, roots: tuple[Path, ...] | None) -> str:
    allowed = ", ".join(map(str, roots or ()))
    return f"{str(path)!r} lies outside of the folders that sources may be in" + (f" ({allowed})" if allowed else "")
