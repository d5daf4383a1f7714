"""What storage raises. Everything else that escapes is a bug.

StorageError
├── Unavailable            locked, full or out of reach: trying again may help
├── InvalidUrl             the database URL cannot be used
├── SchemaTooNew           the database was migrated by a newer version of the program
├── AlreadyExists          the name is taken
├── BrokenReference        a row refers to one that does not exist, or breaks another rule of its table
├── MissingDocument        updates for documents that are gone
├── IncompleteLog          a part of the log that was asked for is not there (any more)
└── TrimmedTail            batches of samples that were asked for are only in chunks by now
"""

from collections.abc import Iterable


class StorageError(Exception):
    """Something the database could not do. The transaction it happened in has changed nothing, as far as can be known:
    whether a commit was done whose answer never came, nobody can tell.
    """


class Unavailable(StorageError):
    """The database is locked, full or cannot be reached; the same call may succeed later."""


class InvalidUrl(StorageError):
    """The database URL cannot be used; the message says why, without its password."""


class SchemaTooNew(StorageError):
    """The database holds a schema this version of the program does not know."""


class AlreadyExists(StorageError):
    """Another row has this name."""


class BrokenReference(StorageError):
    """A row would refer to something that does not exist, or break another rule of its table."""


class MissingDocument(StorageError):
    """Documents that do not exist (any more); `ids` are their row ids.

    Raised by an append, it means that nothing was appended: append again without these.
    """

    def __init__(self, ids: Iterable[int]) -> None:
        self.ids = tuple(sorted(ids))
        super().__init__(f"no such documents: {', '.join(map(str, self.ids))}")


class IncompleteLog(StorageError):
    """The log does not hold every update between the newest usable snapshot and the number asked for."""


class TrimmedTail(StorageError):
    """Batches of samples after the number asked for are gone: their samples are in chunks only."""
