"""What the settings say of addresses outside: who may be reached, and who takes mail."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from handlers.language_model import LanguageModel
from handlers.outgoing import OutgoingHttp, OutgoingPolicy
from handlers.outgoing_mail import MailServer, OutgoingMail
from handlers.parts import Outgoing
from handlers.prometheus_store import PrometheusStore, store_at
from server.settings import Settings

_PORTS = {"smtp": 587, "smtps": 465}


def open_outgoing(settings: Settings) -> Outgoing:
    return Outgoing(
        OutgoingHttp(OutgoingPolicy(settings.outgoing_hosts)),
        OutgoingMail(mail_server(settings)),
        language_model(settings),
        settings.public_url,
        metrics_store(settings),
    )


def metrics_store(settings: Settings) -> PrometheusStore | None:
    """The store of `metrics_store_url`, None where there is none."""
    if settings.metrics_store_url is None:
        return None
    return store_at(settings.metrics_store_url, settings.metrics_store_token)


def language_model(settings: Settings) -> LanguageModel | None:
    """The model of `language_model_url`, None where there is none."""
    if settings.language_model_url is None or settings.language_model_model is None:
        return None
    return LanguageModel(settings.language_model_url, settings.language_model_model, settings.language_model_key)


def mail_server(settings: Settings) -> MailServer | None:
    """The server of `smtp_url`, None where there is none."""
    if settings.smtp_url is None or settings.mail_from is None:
        return None
    parts = urlsplit(settings.smtp_url)
    encryption = "tls" if parts.scheme == "smtps" else "none" if parts.query == "starttls=no" else "starttls"
    return MailServer(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        sender=settings.mail_from,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        encryption=encryption,
    )
