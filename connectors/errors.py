"""What goes wrong with a source, told so that whoever registered it can put it right.

ConnectorError               one sentence for people; `code` for programs
 +- BadSettings              the settings do not make sense, or something is missing from them
 +- Unreachable              nobody was reached
 |   +- HostNotFound         the name has no address
 |   +- ConnectionRefused    there is a machine, and nothing listens on that port
 |   +- ConnectTimeout       no answer in time
 |   +- TlsFailed            encryption was asked for and did not come about
 |   +- NotThatServer        something answered that is not such a server
 |   +- SourceLost           the connection broke
 +- LoginRefused             user, password or address are not let in
 +- DatabaseNotFound         the server has no database of that name
 +- PathError                what is wrong with a file or folder
 |   +- PathNotFound         there is none
 |   +- PathForbidden        it may not be read, or lies outside of what may be
 |   +- WrongFormat          it is not what its name or kind says, or broken
 +- DatasetNotFound          the source has no such table, view or file, or no such column
 +- StatementFailed          the source refused a statement
 |   +- NotReadOnly          the statement would change something, or is none that only reads
 |   +- StatementTimeout     it ran longer than the source's settings allow
 |   +- RightsMissing        the account may not read that
 |   +- OutOfMemory          it needs more memory than a statement may have
 +- BackupError              no backup was made, or none of it restored
     +- ToolMissing          a program that this needs is not there, or older than the server
     +- TargetExists         what a backup would be restored into is there already
     +- DiskFull             there is no room left for it
     +- DamagedBackup        the backup is not what was made
"""

from typing import ClassVar


class ConnectorError(Exception):
    """A source could not be used. The text never holds a password."""

    code: ClassVar[str] = "source_failed"


class BadSettings(ConnectorError):
    code = "bad_source_settings"


class Unreachable(ConnectorError):
    code = "source_unreachable"


class HostNotFound(Unreachable):
    code = "host_not_found"


class ConnectionRefused(Unreachable):
    code = "connection_refused"


class ConnectTimeout(Unreachable):
    code = "connect_timeout"


class TlsFailed(Unreachable):
    code = "tls_failed"


class NotThatServer(Unreachable):
    code = "not_that_server"


class SourceLost(Unreachable):
    code = "source_lost"


class LoginRefused(ConnectorError):
    code = "login_refused"


class DatabaseNotFound(ConnectorError):
    code = "database_not_found"


class PathError(ConnectorError):
    code = "path_error"


class PathNotFound(PathError):
    code = "path_not_found"


class PathForbidden(PathError):
    code = "path_forbidden"


class WrongFormat(PathError):
    code = "wrong_format"


class DatasetNotFound(ConnectorError):
    code = "dataset_not_found"


class StatementFailed(ConnectorError):
    code = "statement_failed"


class NotReadOnly(StatementFailed):
    code = "not_read_only"


class StatementTimeout(StatementFailed):
    code = "statement_timeout"


class RightsMissing(StatementFailed):
    code = "rights_missing"


class OutOfMemory(StatementFailed):
    code = "out_of_memory"


class BackupError(ConnectorError):
    code = "backup_failed"


class ToolMissing(BackupError):
    code = "backup_tool_missing"


class TargetExists(BackupError):
    code = "target_exists"


class DiskFull(BackupError):
    code = "disk_full"


class DamagedBackup(BackupError):
    code = "backup_damaged"
