"""How often somebody who has not signed in may try to: each try can cost the provider a request."""

from __future__ import annotations

from server.request_limit import RequestLimit

# A sign-in is three requests. An office behind one address comes in on a Monday morning, and nobody guesses 256 bits.
RATE = 5.0
BURST = 100


def sign_in_limit() -> RequestLimit:
    """Counts the requests of each place on this node."""
    return RequestLimit(RATE, BURST)
