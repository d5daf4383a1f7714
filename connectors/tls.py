"""Encrypted connections to sources."""

from __future__ import annotations

import ssl

from connectors.errors import BadSettings
from connectors.settings import SourceSettings


def context_for(settings: SourceSettings) -> ssl.SSLContext:
    """For `require`: encrypted, whoever answers. For `verify`: only with the host that the certificate names."""
    try:
        context = ssl.create_default_context(cadata=settings.ca_certificate or None)
    except (ssl.SSLError, ValueError):
        raise BadSettings("ca_certificate holds no certificate; give one in PEM") from None
    if settings.tls != "verify":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
