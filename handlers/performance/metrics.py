"""Measurements of a source over time."""

from __future__ import annotations

from handlers.changes import topic_of
from handlers.measured_sources import SERVER, require_measured
from handlers.measurements import subject_of
from handlers.performance.answers import Measurements
from handlers.performance.following import FollowedMetrics, reader_of
from handlers.performance.measuring import read_all, told
from handlers.performance.planning import plan_of
from handlers.performance.points import PASSING, points_between
from handlers.performance.questions import GetMetrics
from handlers.registry import Context, Forbidden, Operation, Permission, Watched


async def get_metrics(context: Context, request: GetMetrics) -> Measurements:
    await require_measured(context, request.data_source_id, Permission.READ)
    now = context.now()
    reader = reader_of(context.parts, now)
    read = await read_all(reader, request, plan_of(request, reader, now))
    return await told(reader, request, read, now)


async def _standing(context: Context, request: GetMetrics) -> tuple[Permission, str | None]:
    workspace_id = await require_measured(context, request.data_source_id, Permission.READ)
    permission = Permission.SERVER_ADMIN if request.data_source_id == SERVER else Permission.READ
    return permission, workspace_id


def _subject(request: GetMetrics) -> str:
    return subject_of(request.data_source_id)


OPERATIONS = (
    Operation(
        "metrics.get",
        GetMetrics,
        Measurements,
        get_metrics,
        "GET /performance/metrics/{data_source_id}",
        Permission.SIGNED_IN,
        "Get what was measured of a data source over time.",
        errors=(Forbidden,),
        watched=Watched(
            frozenset({topic_of("metrics.get"), "data_sources"}),
            passing=PASSING,
            # Time goes on without samples, too: a source that falls silent shows as a gap.
            refresh_seconds=5.0,
            subject=_subject,
            standing=_standing,
            follow=FollowedMetrics,
            continued=points_between,
            # A sample is to be seen within a second of when it was stored.
            pause_seconds=0.25,
        ),
        stops_with_caller=True,
    ),
)
