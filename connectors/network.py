"""What goes wrong on the way to a server, whichever the driver."""

from __future__ import annotations

import socket
import ssl

from connectors import errors
from connectors.settings import SourceSettings


def network_error(error: Exception, where: str, settings: SourceSettings, product: str) -> errors.ConnectorError:
    """What an error of the network means."""
    match error:
        case TimeoutError():
            return errors.ConnectTimeout(f"{where} did not answer in {settings.limits.connect_seconds:g} s")
        case socket.gaierror():
            return errors.HostNotFound(f"the name {settings.host!r} has no address")
        case ConnectionRefusedError():
            return errors.ConnectionRefused(f"nothing listens at {where}")
        case ssl.SSLCertVerificationError():
            return errors.TlsFailed(f"the certificate of {where} does not hold: {error.verify_message}")
        case ssl.SSLError():
            return errors.TlsFailed(f"no encrypted connection to {where}: {one_line(error)}")
        case ConnectionError() if "SSL" in str(error):
            return errors.TlsFailed(f"{where} does not offer an encrypted connection")
        case ConnectionError():
            return errors.SourceLost(f"the connection to {where} broke: {one_line(error)}")
        case OSError() if "Multiple exceptions" in str(error) or "Connect call failed" in str(error):
            return errors.ConnectionRefused(f"nothing listens at {where}")
        case OSError():
            return errors.Unreachable(f"{where} cannot be reached: {error.strerror or one_line(error)}")
        case _:
            return errors.StatementFailed(f"{product}: {one_line(error)}")


def one_line(error: BaseException) -> str:
    """The error in one line."""
    return " ".join((str(error) or type(error).__name__).split())
