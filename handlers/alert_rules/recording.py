"""What came of an evaluation, into alerts: in the transaction that keeps the evaluator's lease.

An alert changes once in each round, so that a round is a few statements for thousands of alerts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from analysis.alerting.matching import Labels
from analysis.alerting.plans import Happened, Plan
from analysis.alerting.states import Kind, Phase
from handlers.alert_rules.evidence import evidence_of, finding_of, summary_for
from handlers.alert_rules.reading import DOMAIN, fingerprint_of, instant
from handlers.alert_transitions import FIRE, Move, Transition, move_many, open_alerts, resolve
from handlers.outbox import Outbox
from storage import alerts
from storage.alerts import FIRING, PENDING, Memory, NewAlert

# The plan's key and the labels of the group.
Subject = tuple[tuple[int, int], Labels]


def subject_of(one: Happened) -> Subject:
    return one.plan.key, one.labels


async def record(
    connection: AsyncConnection, outbox: Outbox, happened: Sequence[Happened], known: MutableMapping[Subject, int]
) -> None:
    """`known` has the ids of the alerts that are open, and is kept so; forget it where the transaction fails."""
    # All at once and in their order: people may be acknowledging the same ones.
    await alerts.lock(connection, {known[subject_of(one)] for one in happened if subject_of(one) in known})
    for some in _rounds(happened):
        opened = [one for one in some if _opens(one, known)]
        opening = {id(one) for one in opened}
        if opened:
            latest = instant(max(one.transition.at for one in opened))
            made = await open_alerts(connection, outbox, [new_alert(one) for one in opened], at=latest)
            known.update(zip(map(subject_of, opened), (alert.id for alert in made), strict=True))
        moved = [one for one in some if id(one) not in opening and subject_of(one) in known]
        await _move(connection, outbox, [one for one in moved if one.transition.kind is not Kind.REMEMBERED], known)
        await alerts.remember(connection, _memories(moved, known))


def _rounds(happened: Iterable[Happened]) -> list[list[Happened]]:
    """The first of each alert, the second of each, and so on."""
    rounds: list[list[Happened]] = []
    counts: dict[Subject, int] = {}
    for one in happened:
        number = counts.get(subject_of(one), 0)
        counts[subject_of(one)] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(one)
    return rounds


def _opens(one: Happened, known: Mapping[Subject, int]) -> bool:
    return one.transition.kind in (Kind.PENDING, Kind.FIRED) and subject_of(one) not in known


def _by_time(happened: Iterable[Happened]) -> dict[int, list[Happened]]:
    parts: dict[int, list[Happened]] = {}
    for one in happened:
        parts.setdefault(one.transition.at, []).append(one)
    return dict(sorted(parts.items()))


async def _move(
    connection: AsyncConnection, outbox: Outbox, moved: Sequence[Happened], known: MutableMapping[Subject, int]
) -> None:
    for at, some in _by_time(moved).items():
        ends: dict[str, Transition] = {}
        moves = []
        for one in some:
            subject = subject_of(one)
            alert_id = known[subject]
            if one.transition.kind is Kind.FIRED:
                transition = FIRE
            else:
                reason = str(one.transition.reason)
                transition = ends.setdefault(reason, resolve(reason, at=instant(at)))
                del known[subject]
            moves.append(Move(alert_id, transition, finding_for(one, alert_id)))
        await move_many(connection, outbox, moves, at=instant(at))


def finding_for(one: Happened, alert_id: int) -> alerts.Finding | None:
    """What fired it stays its evidence when it is over."""
    if one.transition.kind is not Kind.FIRED:
        return None
    return finding_of(one.plan, one.labels, one.judgement, one.transition.at, alert_id)


def _memories(happened: Iterable[Happened], known: Mapping[Subject, int]) -> list[Memory]:
    return [
        Memory(
            known[subject_of(one)],
            instant(one.remembered.last_true_at),
            None if one.remembered.false_since is None else instant(one.remembered.false_since),
            None if one.remembered.missing_since is None else instant(one.remembered.missing_since),
            one.judgement.value,
        )
        for one in happened
        if one.transition.kind is Kind.REMEMBERED and one.remembered.phase is Phase.FIRING
    ]


def new_alert(one: Happened) -> NewAlert:
    plan: Plan = one.plan
    rule = plan.rule
    return NewAlert(
        workspace_id=rule.workspace_id,
        domain=DOMAIN,
        rule_id=rule.id,
        rule_version=rule.version,
        source_id=plan.source_id,
        fingerprint=fingerprint_of(rule.id, plan.source_id, one.labels),
        name=rule.name,
        summary=summary_for(plan, one.labels, one.judgement),
        severity=rule.severity,
        state=FIRING if one.transition.kind is Kind.FIRED else PENDING,
        labels={**dict(one.labels), **rule.labels},
        value=one.judgement.value,
        threshold=one.judgement.threshold,
        evidence=evidence_of(plan, one.labels, one.judgement, one.transition.at),
        runbook=rule.runbook,
        at=instant(one.transition.at),
    )
