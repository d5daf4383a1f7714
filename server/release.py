"""Which version of the server runs."""

from importlib import metadata

PROGRAM = "collab-studio"


def release() -> str:
    """As it was installed; a checkout that is not installed has no number."""
    try:
        return metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        return "0.0.0+checkout"
