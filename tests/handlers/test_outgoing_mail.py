"""Mail over a real SMTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from receivers import DEADLINE, LOCAL, Mailbox, mailbox

from handlers.outgoing import SendError
from handlers.outgoing_mail import Mail, MailServer, OutgoingMail, message_of

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
SENDER = "studio@shop.example"


def mail(*recipients: str, subject: str = "Hello", text: str = "One\nTwo ü") -> Mail:
    return Mail("msg_1", AT, recipients or ("ada@x.example",), subject, text)


def with_mailbox(scenario: Callable[[Mailbox, OutgoingMail], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), mailbox() as box:
            await scenario(box, OutgoingMail(MailServer(LOCAL, box.port, SENDER, encryption="none")))

    asyncio.run(run())


def test_a_mail_arrives() -> None:
    async def scenario(box: Mailbox, outgoing: OutgoingMail) -> None:
        answer = await outgoing.send(mail("ada@x.example", "bob@x.example"))
        assert "taken" in answer
        [arrived] = box.mails
        assert box.recipients == [["ada@x.example", "bob@x.example"]]
        assert (arrived["From"], arrived["Subject"]) == (SENDER, "Hello")
        assert arrived["Message-ID"] == "<msg_1@shop.example>"
        assert arrived["Date"] == "Sun, 01 Mar 2026 09:00:00 +0000"
        assert arrived["Auto-Submitted"] == "auto-generated"
        body = arrived.get_body()
        assert isinstance(body, EmailMessage)
        assert body.get_content().replace("\r\n", "\n") == "One\nTwo ü\n"

    with_mailbox(scenario)


def test_whoever_is_refused_is_told() -> None:
    async def scenario(box: Mailbox, outgoing: OutgoingMail) -> None:
        box.refused = {"eve@x.example"}
        with pytest.raises(SendError, match=r"refused eve@x\.example: no such user here"):
            await outgoing.send(mail("ada@x.example", "eve@x.example"))
        with pytest.raises(SendError, match="did not take it"):
            await outgoing.send(mail("eve@x.example"))

    with_mailbox(scenario)


def test_nobody_takes_it() -> None:
    async def scenario(box: Mailbox, outgoing: OutgoingMail) -> None:
        with pytest.raises(SendError, match="STUDIO_SMTP_URL is not set"):
            await OutgoingMail().send(mail())
        # It asks for encryption, which that server has not.
        with pytest.raises(SendError, match="did not take it"):
            await OutgoingMail(MailServer(LOCAL, box.port, SENDER)).send(mail())
        assert box.mails == []

    with_mailbox(scenario)


def test_nothing_breaks_out_of_its_header() -> None:
    message = message_of(mail(subject="Hi\r\nBcc: eve@x.example\n\nbody"), SENDER)
    assert message["Subject"] == "Hi Bcc: eve@x.example body"
    assert message["Bcc"] is None
    with pytest.raises(ValueError, match=r"."):
        message_of(mail("ada@x.example\nBcc: eve@x.example"), SENDER)


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in repr(MailServer("mail", 25, SENDER, "studio", "hunter2"))
