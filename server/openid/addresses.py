"""Where a sign-in may end: at pages of this server and of the origins that the settings name, and nowhere else."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode, urlsplit

from handlers.registry import InvalidRequest
from server.setting_values import normal_origin
from server.settings import Settings

LONGEST = 1500
# Visible ASCII but for a backslash, which browsers take for a slash.
_PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]+", re.ASCII)


def allowed_origins(settings: Settings) -> frozenset[str]:
    """The server's own origin and those of the settings. That it listens on loopback only opens none: its proxy may."""
    public = urlsplit(settings.public_url or "")
    own = normal_origin(f"{public.scheme}://{public.netloc}")
    return frozenset(filter(None, (own, *settings.allowed_origins)))


def allowed_return(value: str | None, origins: frozenset[str]) -> str:
    """The address, if somebody who signed in may be sent there with a code. Raises InvalidRequest."""
    if value is None:
        raise _refused("say where to go after the sign-in, as https://studio.example.org/signed-in")
    if len(value) > LONGEST or not _PLAIN.fullmatch(value):
        raise _refused(f"it has to be visible ASCII of at most {LONGEST} characters, without a backslash")
    try:
        parts = urlsplit(value)
        origin = normal_origin(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        origin = None
    if origin is None or parts.fragment or "#" in value:
        raise _refused("it has to be a whole web address without user name and fragment")
    if {"code", "state"} & parse_qs(parts.query, keep_blank_values=True).keys():
        raise _refused("it may have no code or state in its query; these are added")
    if origin not in origins:
        raise _refused(f"{origin} is not allowed; the operator can add it to STUDIO_ALLOWED_ORIGINS")
    return value


def with_parameters(address: str, **parameters: str | None) -> str:
    """The address with more in its query."""
    more = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{address}{'&' if urlsplit(address).query else '?'}{more}"


def _refused(what: str) -> InvalidRequest:
    return InvalidRequest(f"return_to: {what}.", details={"parameter": "return_to"})
