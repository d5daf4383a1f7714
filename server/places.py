"""Where somebody is, as far as it can be counted: an address, or the network of one of IPv6."""

from __future__ import annotations

import functools
import ipaddress

# Whoever has one address of IPv6 has all of its network.
_NETWORK_BITS = 64


@functools.lru_cache(maxsize=10_000)
def place_of(address: str | None) -> str:
    """What is counted together; "" where there is no address."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
