"""Mail, over the server that the operator names."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from handlers.outgoing import SendError

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """`encryption` is "tls" from the first byte, "starttls", or "none", which only fits a server on this machine."""

    host: str
    port: int
    sender: str
    user: str | None = None
    password: str | None = None
    encryption: str = "starttls"

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. Sent again with the same `message_id`, mail programs know it for the same."""

    message_id: str
    at: datetime
    recipients: Sequence[str]
    subject: str
    text: str


class OutgoingMail:
    """Sends mail; `server` is None where the operator named none."""

    def __init__(self, server: MailServer | None = None, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.server = server
        self._timeout = timeout

    async def send(self, mail: Mail) -> str:
        """What the server answered when it took the mail for all recipients. Raises SendError."""
        server = self.server
        if server is None:
            raise SendError("The operator has not named a mail server; STUDIO_SMTP_URL is not set.")
        try:
            refused, answer = await aiosmtplib.send(
                message_of(mail, server.sender),
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.encryption == "tls",
                start_tls=server.encryption == "starttls",
                timeout=self._timeout,
            )
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
            raise SendError(f"The mail server did not take it: {_one_line(error)}.") from None
        if refused:
            first = next(iter(refused))
            raise SendError(f"The mail server refused {first}: {refused[first].message}.")
        return answer


def message_of(mail: Mail, sender: str) -> EmailMessage:
    """The mail as it goes out. Header values cannot break out of their line."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = [Address(addr_spec=each) for each in mail.recipients]
    message["Subject"] = " ".join(mail.subject.split())[:200]
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = f"<{mail.message_id}@{Address(addr_spec=sender).domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".")
