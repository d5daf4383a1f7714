"""One attempt at sending a message, by whatever kind of integration."""

from __future__ import annotations

import enum
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from handlers.integrations.messages import read_body, slack_body, subject_of, text_of
from handlers.integrations.signing import signed_headers
from handlers.outgoing import NotAllowed, OutgoingHttp, SendError
from handlers.outgoing_mail import Mail, OutgoingMail
from storage.integrations import Integration
from storage.sealing import Sealer, WrongKey

GONE = 410
USER_AGENT = "collab-studio"


class Kind(enum.StrEnum):
    """How it is sent: an HTTP POST that is signed, one that Slack and the like take, or mail."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What an integration keeps sealed. Addresses as well: whoever knows one of Slack's may post there."""

    url: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the same id and body each time it is tried."""

    id: str
    body: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went. `is_final` says that it need not be tried again, ever, with this integration."""

    ok: bool
    seconds: float
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    retry_after: float | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends with what the integration keeps sealed."""

    http: OutgoingHttp
    mail: OutgoingMail
    sealer: Sealer

    async def send(self, integration: Integration, message: Message, *, at: datetime) -> Outcome:
        """Whatever goes wrong is an outcome."""
        started = time.monotonic()
        try:
            if integration.kind == Kind.EMAIL:
                return await self._mail(integration.settings, message, at, started)
            return await self._post(integration, message, at)
        except (NotAllowed, SendError, WrongKey, ValueError) as error:
            text = str(error)
            return Outcome(ok=False, seconds=time.monotonic() - started, error=f"{text[:1].upper()}{text[1:]}")

    async def _post(self, integration: Integration, message: Message, at: datetime) -> Outcome:
        credentials = opened(self.sealer, integration)
        if credentials.url is None:
            raise SendError("It has no address.")
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        body = message.body.encode()
        if integration.kind == Kind.SLACK:
            body = slack_body(read_body(message.body))
        else:
            headers |= signed_headers(credentials.secret or "", message.id, int(at.timestamp()), body)
        answer = await self.http.post(credentials.url, body, headers)
        return Outcome(
            ok=answer.is_success,
            seconds=answer.seconds,
            status=answer.status,
            error=None if answer.is_success else f"The answer was {answer.status}.",
            answer=answer.body.decode("utf-8", "replace").replace("\0", "\ufffd"),
            retry_after=answer.retry_after,
            is_final=answer.status == GONE,
        )

    async def _mail(self, settings: Mapping[str, Any], message: Message, at: datetime, started: float) -> Outcome:
        envelope = read_body(message.body)
        mail = Mail(message.id, at, settings["recipients"], subject_of(envelope), text_of(envelope))
        answer = await self.mail.send(mail)
        return Outcome(ok=True, seconds=time.monotonic() - started, answer=answer[:200])


def purpose_of(integration_id: int) -> str:
    """What an integration's credentials are sealed for: they open for no other."""
    return f"integration:{integration_id}"


def opened(sealer: Sealer, integration: Integration) -> Credentials:
    """Raises WrongKey."""
    if integration.credentials is None:
        return Credentials()
    content = sealer.open(integration.credentials, purpose_of(integration.id), integration.key_id)
    return msgspec.json.decode(content, type=Credentials)


def sealed(sealer: Sealer, integration_id: int, credentials: Credentials) -> dict[str, Any]:
    """The columns that hold them."""
    content = msgspec.json.encode(credentials)
    return {"credentials": sealer.seal(content, purpose_of(integration_id)), "key_id": sealer.key_id}
