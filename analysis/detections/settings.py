"""What operators may set: thresholds, and what is ordinary, restricted or planted with them."""

from __future__ import annotations

import functools
import ipaddress
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Hour = Annotated[int, Meta(ge=0, le=24)]
Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=400)]], Meta(max_length=1_000)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The defaults are the catalogue's.

    `egress_networks` are those that many people come from (VPN, office): neither travel nor a new place is told of
    there. `restricted_objects` and `canaries` are objects (`schema.table`), the latter also accounts and token ids.
    `change_hours` are the hours of the day (UTC, from and before) in which rights are ordinarily changed.
    """

    brute_force_in_5_minutes: Count = 10
    brute_force_in_60_minutes: Count = 20
    brute_force_in_24_hours: Count = 50
    brute_force_of_one_origin: Count = 20
    brute_force_of_one_origin_in_24_hours: Count = 50
    spray_accounts: Count = 10
    spray_accounts_in_24_hours: Count = 20
    stuffing_origins: Count = 20
    stuffing_failures: Count = 50
    travel_kilometres: Count = 500
    travel_kilometres_per_hour: Count = 900
    unseen_days: Annotated[int, Meta(ge=1, le=365)] = 60
    learning_days: Annotated[int, Meta(ge=0, le=90)] = 14
    export_rows: Count = 100_000
    export_factor: Annotated[float, Meta(ge=1, le=1000)] = 10.0
    slow_export_factor: Annotated[float, Meta(ge=1, le=1000)] = 5.0
    restricted_rows: Count = 1_000
    enumerated_objects: Count = 50
    denied: Count = 20
    denied_in_60_minutes: Count = 60
    uses_after_end: Count = 3
    injections: Count = 5
    destructive: Count = 3
    egress_networks: Names = []
    service_accounts: Names = []
    restricted_objects: Names = []
    canaries: Names = []
    change_hours: Annotated[list[Hour], Meta(min_length=2, max_length=2)] | None = None
    disabled: Annotated[list[Annotated[str, Meta(pattern=r"^TD-\d\d$(?!\n)")]], Meta(max_length=20)] = []


class Lookup:
    """Settings as rules ask for them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.service_accounts = frozenset(settings.service_accounts)
        self.restricted = frozenset(settings.restricted_objects)
        self.canaries = frozenset(settings.canaries)
        self._networks = tuple(_parsed(each) for each in settings.egress_networks)
        self.is_egress = functools.lru_cache(maxsize=16_384)(self._is_egress)

    def _is_egress(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def bad_network(settings: Settings) -> str | None:
    """The first of the egress networks that is none."""
    for each in settings.egress_networks:
        try:
            _parsed(each)
        except ValueError:
            return each
    return None


def _parsed(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)
