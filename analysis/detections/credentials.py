"""Detections on failed and successful sign-ins: TD-01 to TD-05."""

from __future__ import annotations

from statistics import median

from analysis.detections.events import HOUR, MINUTE, Event, origin_of
from analysis.detections.hits import Ground, Hit, Rule, behind
from analysis.detections.state import State, spread
from analysis.detections.windows import Tally

BIN = 10 * MINUTE
_BINS_AN_HOUR = 6
_BINS_A_DAY = 144
_HISTORY_DAYS = 7
_FAIL = frozenset({"authn_login_fail"})
_LOGIN = frozenset({"authn_login_fail", "authn_login_success"})
# What TD-03 asks for: when guessing was last seen.
_GUESSED = "guessed"
_FEW_TRIES = 3
_GUESSED_FOR = 30 * MINUTE


def one_account(event: Event, on: Ground) -> Hit | None:
    if not event.actor:
        return None
    tally = on.state.tally("TD-01", event.actor)
    tally.add(event)
    if event.kind == "authn_login_success":
        return None
    window = on.state.window("TD-01", event.actor)
    window.add(event, origin_of(event.address) or "an unknown origin", HOUR)
    limits = on.lookup.settings
    recent = sum(entry.count for entry in window.since(event.at - 5 * MINUTE))
    if recent >= limits.brute_force_in_5_minutes:
        number, threshold, span = recent, limits.brute_force_in_5_minutes, "5 minutes"
    elif window.total >= limits.brute_force_in_60_minutes:
        number, threshold, span = window.total, limits.brute_force_in_60_minutes, "60 minutes"
    elif tally.failures() >= limits.brute_force_in_24_hours:
        number, threshold, span = tally.failures(), limits.brute_force_in_24_hours, "24 hours"
    else:
        return None
    on.state.seen.setdefault(_GUESSED, {})[f"account {event.actor}"] = event.at
    text = f"{number} sign-ins as {event.actor} failed within {span}, of late from {len(window.values)} origins."
    return Hit(event.actor, "medium", text, number, threshold, behind(window.entries))


def one_origin(event: Event, on: Ground) -> Hit | None:
    origin = origin_of(event.address)
    if not origin:
        return None
    tally = on.state.tally("TD-02", origin)
    tally.add(event)
    if event.kind == "authn_login_success":
        return None
    window = on.state.window("TD-02", origin)
    window.add(event, event.actor, BIN)
    limits = on.lookup.settings
    if window.total >= limits.brute_force_of_one_origin:
        number, threshold, span = window.total, limits.brute_force_of_one_origin, "10 minutes"
        accounts = len(window.values)
    elif _is_slow(event, on, tally, limits.brute_force_of_one_origin_in_24_hours):
        number, threshold, span = tally.failures(), limits.brute_force_of_one_origin_in_24_hours, "24 hours"
        accounts = len(tally.accounts)
    else:
        return None
    on.state.seen.setdefault(_GUESSED, {})[f"origin {origin}"] = event.at
    text = f"{number} sign-ins from {origin} failed within {span}, as {accounts} accounts."
    return Hit(origin, "medium", text, number, threshold, behind(window.entries))


def _is_slow(event: Event, on: Ground, tally: Tally, threshold: int) -> bool:
    """From where everybody comes, some always mistype."""
    return tally.failures() >= threshold and not on.lookup.is_egress(event.address)


def success_after_failures(event: Event, on: Ground) -> Hit | None:
    guessed = on.state.seen.get(_GUESSED)
    if not guessed:
        return None
    origin = origin_of(event.address)
    for who, name, window in (
        (f"account {event.actor}", "TD-01", event.actor),
        (f"origin {origin}", "TD-02", origin),
    ):
        at = guessed.get(who)
        if at is not None and event.at - at <= _GUESSED_FOR:
            failed = on.state.windows.get(name, {}).get(window)
            text = f"{event.actor} was let in from {origin or 'an unknown origin'} after passwords of the {who} "
            text += f"were guessed until {(event.at - at) // MINUTE} minutes before."
            return Hit(event.actor, "high", text, 1, 1, behind(failed.entries if failed else ()))
    return None


def spray(event: Event, on: Ground) -> Hit | None:
    origin = origin_of(event.address)
    if not origin or not event.actor:
        return None
    tally = on.state.tally("TD-04", origin)
    tally.add(event)
    if event.kind == "authn_login_success":
        return None
    window = on.state.window("TD-04", origin)
    window.add(event, event.actor, BIN)
    limits = on.lookup.settings
    slow = limits.spray_accounts_in_24_hours
    if len(window.values) >= limits.spray_accounts and median(window.values.values()) <= _FEW_TRIES:
        number, threshold, span = len(window.values), limits.spray_accounts, "10 minutes"
    elif len(tally.accounts) >= slow and _is_slow(event, on, tally, slow) and _are_few_each(tally):
        number, threshold, span = len(tally.accounts), slow, "24 hours"
    else:
        return None
    text = f"{origin} tried {number} accounts within {span}, few times each."
    return Hit(origin, "high", text, number, threshold, behind(window.entries))


def _are_few_each(tally: Tally) -> bool:
    return tally.failures() <= _FEW_TRIES * len(tally.accounts)


def stuffing(event: Event, on: Ground) -> Hit | None:
    number = event.at // BIN
    on.state.failures[number] = on.state.failures.get(number, 0) + event.count
    window = on.state.window("TD-05", "")
    window.add(event, f"{origin_of(event.address)} {event.actor}", BIN)
    limits = on.lookup.settings
    if window.total < limits.stuffing_failures or len(window.values) < limits.stuffing_origins:
        return None
    origins = {value.partition(" ")[0] for value in window.values}
    accounts = {value.partition(" ")[2] for value in window.values}
    if len(origins - {""}) < limits.stuffing_origins or len(accounts) < limits.stuffing_origins:
        return None
    middle, deviation = spread(_same_hours(on.state, number))
    threshold = max(limits.stuffing_failures, middle + 6 * deviation)
    if window.total <= threshold and threshold > limits.stuffing_failures:
        return None
    text = f"{window.total} sign-ins as {len(accounts)} accounts failed within 10 minutes, from {len(origins)} "
    text += f"origins; at this hour {middle:g} are ordinary."
    return Hit("all accounts", "high", text, window.total, threshold, behind(window.entries))


def _same_hours(state: State, number: int) -> list[int]:
    """Failures in each ten minutes of this hour of the day, on the seven days before."""
    first = number - number % _BINS_AN_HOUR
    past = range(1, _HISTORY_DAYS + 1)
    return [state.failures.get(first - day * _BINS_A_DAY + each, 0) for day in past for each in range(_BINS_AN_HOUR)]


RULES = (
    Rule("TD-01", "Passwords of an account are guessed", "medium", "credential access", _LOGIN, one_account),
    Rule("TD-02", "Passwords are guessed from one origin", "medium", "credential access", _LOGIN, one_origin),
    Rule(
        "TD-03",
        "Let in after passwords were guessed",
        "high",
        "initial access",
        frozenset({"authn_login_success"}),
        success_after_failures,
    ),
    Rule("TD-04", "One password is tried on many accounts", "high", "credential access", _LOGIN, spray),
    Rule("TD-05", "Stolen credentials are tried from many origins", "high", "credential access", _FAIL, stuffing),
)
