"""What an integration has sent and could not send, sending it again, and trying it out."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from handlers.audit_trail import record
from handlers.integrations.messages import body_of
from handlers.integrations.registration import ONE, require_integration
from handlers.integrations.sending import Message, Sender
from handlers.names import RowId
from handlers.paging import Cursor, Limit, decode_cursor, page_of
from handlers.registry import Conflict, Context, Forbidden, Instant, NotFound, Operation, Page, Permission
from storage import deliveries
from storage.feeds import Event

TEST_TYPE = "integration.test"
State = Literal["pending", "delivered", "failed"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """How one attempt went: the `status` and first bytes of the answer, or the `error` that kept it from coming."""

    number: int
    at: Instant
    seconds: float
    status: int | None
    error: str | None
    answer: str | None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way. `message_id` is the `webhook-id`, the same at each attempt.

    `tries` counts the attempts since it was last queued. What is `pending` is sent in the order of ids.
    """

    id: int
    message_id: str
    feed: str
    offset: int
    type: str
    state: State
    tries: int
    next_attempt_at: Instant | None
    created_at: Instant
    finished_at: Instant | None
    attempts: list[Attempt]


class ListDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    integration_id: RowId
    state: State | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class ReplayDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Before all that waits, with the same `message_id` and body."""

    integration_id: RowId
    delivery_id: RowId


class SendTest(msgspec.Struct, frozen=True, kw_only=True):
    """At once and outside of the queue, also while the integration is disabled."""

    integration_id: RowId


class SentTest(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the message arrived; `error` says what kept it from that."""

    ok: bool
    message_id: str
    seconds: float
    status: int | None
    error: str | None
    answer: Annotated[str, Meta(description="The first bytes of the answer.")] | None


async def list_deliveries(context: Context, request: ListDeliveries) -> Page[Delivery]:
    integration = await require_integration(context, request.integration_id)
    before = decode_cursor("deliveries", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await deliveries.list_of(
            connection, integration.id, state=request.state, before=before, limit=request.limit + 1
        )
        attempts = await deliveries.attempts_of(connection, [row.id for row in rows])
    return page_of(
        rows,
        request.limit,
        "deliveries",
        key=lambda row: row.id,
        item=lambda row: _shown(row, attempts.get(row.id, [])),
    )


async def replay_delivery(context: Context, request: ReplayDelivery) -> Delivery:
    integration = await require_integration(context, request.integration_id)
    if not integration.enabled:
        raise Conflict("The integration is disabled; enable it first.", code="integration_disabled")
    async with context.parts.database.write() as connection:
        if await deliveries.get(connection, integration.id, request.delivery_id) is None:
            raise NotFound(f"The integration has no delivery {request.delivery_id}.")
        queued = await deliveries.queue_again(connection, request.delivery_id, at=context.now())
        if queued is None:
            raise Conflict("The delivery is waiting to be sent already.", code="delivery_pending")
        attempts = await deliveries.attempts_of(connection, [queued.id])
        details = {"delivery_id": queued.id, "message_id": queued.message_id}
        await record(connection, context, "integrations.deliveries.replay", str(integration.id), details)
    return _shown(queued, attempts.get(queued.id, []))


async def send_test(context: Context, request: SendTest) -> SentTest:
    integration = await require_integration(context, request.integration_id)
    parts, now = context.parts, context.now()
    data = {"integration_id": integration.id, "name": integration.name}
    event = Event(0, TEST_TYPE, now, context.user.user_id, data)
    message = Message(f"msg_{secrets.token_hex(16)}", body_of(integration.workspace_id, "test", "", event))
    sender = Sender(parts.outgoing.http, parts.outgoing.mail, parts.sources.sealer)
    outcome = await sender.send(integration, message, at=now)
    async with parts.database.write() as connection:
        details = {"ok": outcome.ok, "status": outcome.status, "message_id": message.id}
        await record(connection, context, "integrations.test", str(integration.id), details)
    return SentTest(
        ok=outcome.ok,
        message_id=message.id,
        seconds=outcome.seconds,
        status=outcome.status,
        error=outcome.error,
        answer=outcome.answer,
    )


def _shown(row: deliveries.Delivery, attempts: list[deliveries.Attempt]) -> Delivery:
    return Delivery(
        id=row.id,
        message_id=row.message_id,
        feed=row.feed,
        offset=row.offset,
        type=row.type,
        state=msgspec.convert(row.state, State),
        tries=row.tries,
        next_attempt_at=row.next_attempt_at,
        created_at=row.created_at,
        finished_at=row.finished_at,
        attempts=[
            Attempt(
                number=each.number,
                at=each.at,
                seconds=each.seconds,
                status=each.status,
                error=each.error,
                answer=each.answer,
            )
            for each in attempts
        ],
    )


OPERATIONS = (
    Operation(
        "integrations.deliveries.list",
        ListDeliveries,
        Page[Delivery],
        list_deliveries,
        f"GET {ONE}/deliveries",
        Permission.SIGNED_IN,
        "List what an integration has sent and is to send.",
        errors=(Forbidden,),
    ),
    Operation(
        "integrations.deliveries.replay",
        ReplayDelivery,
        Delivery,
        replay_delivery,
        f"POST {ONE}/deliveries/{{delivery_id}}/replay",
        Permission.SIGNED_IN,
        "Send a delivery again.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "integrations.test",
        SendTest,
        SentTest,
        send_test,
        f"POST {ONE}/test",
        Permission.SIGNED_IN,
        "Send a test message to an integration.",
        errors=(Forbidden,),
    ),
)
