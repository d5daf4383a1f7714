"""Why a sign-in did not come about: a word for the audit trail, and what the person is told."""

from __future__ import annotations

import enum

# The reason where the provider, or the person there, said no.
REFUSED_THERE = "provider_refused"


class Told(enum.Enum):
    """What the page says, which is no more than the person can do something about. The value is the status."""

    START_AGAIN = 400
    NOT_ADMITTED = 403
    UNVERIFIED = 502
    UNAVAILABLE = 503


class SignInFailed(Exception):
    """`reason` is one word with underscores for the audit trail; `detail` a sentence for the server's log."""

    def __init__(self, reason: str, told: Told, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.told = told
        self.detail = detail


def unverified(reason: str, detail: str) -> SignInFailed:
    """What the provider sent does not hold."""
    return SignInFailed(reason, Told.UNVERIFIED, detail)


def unavailable(detail: str) -> SignInFailed:
    """The provider does not answer as it has to."""
    return SignInFailed("provider_unavailable", Told.UNAVAILABLE, detail)
