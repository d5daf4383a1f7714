"""Encrypted connections to syslog receivers: whom we trust there, and how we show who we are."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from handlers.event_exports.shapes import SyslogTarget


class BadCertificate(Exception):
    """What was given is no certificate, or no key to it; the message begins with the name of the parameter."""


def context_for(target: SyslogTarget) -> ssl.SSLContext:
    """TLS 1.2 or newer, with the host's name checked. Raises BadCertificate. It reads files: call it in a thread."""
    try:
        context = ssl.create_default_context(cadata=target.ca_certificate)
    except (ssl.SSLError, ValueError):
        raise BadCertificate("target.ca_certificate holds no certificate; give one or more in PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A connection that was cut must not look like one that the other side closed.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if target.client_certificate is not None or target.client_key is not None:
        _show_ourselves(context, target)
    return context


def _show_ourselves(context: ssl.SSLContext, target: SyslogTarget) -> None:
    if target.client_certificate is None or target.client_key is None:
        raise BadCertificate("target.client_certificate and target.client_key belong together")
    with tempfile.TemporaryDirectory() as folder:
        # OpenSSL takes them from files only; the folder is ours alone, and gone at once.
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        certificate.write_text(target.client_certificate, encoding="ascii")
        key.write_text(target.client_key, encoding="ascii")
        try:
            # Without a password given it would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, ValueError):
            raise BadCertificate(
                "target.client_key is not the key of target.client_certificate; give both in PEM, unencrypted"
            ) from None
