"""Integrations: where a workspace's events are sent, as its administrators set it up."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from handlers.audit_trail import record
from handlers.integrations.intake import begin_here
from handlers.integrations.sending import Credentials, Kind, opened, sealed
from handlers.integrations.signing import new_secret
from handlers.names import RowId, Title, WorkspaceId
from handlers.outgoing import NotAllowed
from handlers.paging import MAX_ITEMS, Cursor, Limit, decode_cursor, page_of
from handlers.registry import (
    Conflict,
    Context,
    Forbidden,
    Instant,
    InvalidRequest,
    NotFound,
    Operation,
    Page,
    Permission,
)
from storage import deliveries, integrations, users
from storage.sealing import WrongKey

PATH = "/integrations"
ONE = PATH + "/{integration_id}"
# Each takes in every event that it is for.
MAX_IN_WORKSPACE = 100
_END = r"$(?!\n)"

Url = Annotated[str, Meta(min_length=1, max_length=2000, description="An https address.")]
# What mail programs and servers agree on; quoted names and the like are nobody's address.
Recipient = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+" + _END, max_length=254)
]
Recipients = Annotated[list[Recipient], Meta(min_length=1, max_length=20)]
FeedPattern = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9._*-]{1,64}" + _END,
        description="A feed of the workspace; `*` stands for anything, as in `alerts.*`.",
    ),
]
EventPattern = Annotated[
    str,
    Meta(pattern=r"^[\x21-\x7e]{1,100}" + _END, description="A type of event; `*` stands for anything: `member.*`."),
]
FeedPatterns = Annotated[list[FeedPattern], Meta(min_length=1, max_length=20)]
EventPatterns = Annotated[list[EventPattern], Meta(min_length=1, max_length=50)]


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent. Of an address only the host is shown, as the rest may be a secret.

    `secret` is what a webhook's signatures are verified with: shown once, when it is made. `failing_since` is when the
    first attempt failed after which none has succeeded.
    """

    id: RowId
    workspace_id: WorkspaceId
    name: str
    kind: Kind
    address: str | None
    recipients: list[str]
    feeds: list[str]
    events: list[str]
    owner: str
    enabled: bool
    disabled_reason: str | None
    failing_since: Instant | None
    created_at: Instant
    updated_at: Instant
    secret: str | None = None


class ListIntegrations(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId = "default"
    cursor: Cursor | None = None
    limit: Limit = MAX_ITEMS


class CreateIntegration(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is for `webhook` and `slack`, `recipients` for `email`. It begins with the next event.

    Unless given, `feeds` is `activity`, and `events` are all of them.
    """

    workspace_id: WorkspaceId = "default"
    name: Title
    kind: Kind
    url: Url | None = None
    recipients: Recipients | None = None
    feeds: FeedPatterns | None = None
    events: EventPatterns | None = None
    enabled: bool = True


class GetIntegration(msgspec.Struct, frozen=True, kw_only=True):
    integration_id: RowId


class UpdateIntegration(msgspec.Struct, frozen=True, kw_only=True):
    """What is given changes. `rotate_secret` makes a new secret, which the answer shows; the old one ends at once.

    Enabled again, it goes on where it was: with what happened meanwhile, as far as the feeds still hold it.
    """

    integration_id: RowId
    name: Title | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    recipients: Recipients | UnsetType = UNSET
    feeds: FeedPatterns | UnsetType = UNSET
    events: EventPatterns | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    rotate_secret: bool = False


class DeleteIntegration(msgspec.Struct, frozen=True, kw_only=True):
    """With its deliveries, also those that wait."""

    integration_id: RowId


async def list_integrations(context: Context, request: ListIntegrations) -> Page[Integration]:
    await context.parts.access.require(context.principal, Permission.MANAGE, request.workspace_id)
    after = decode_cursor("integrations", request.cursor, RowId)
    async with context.parts.database.read() as connection:
        rows = await integrations.list_of(connection, request.workspace_id, after=after, limit=request.limit + 1)
    return page_of(rows, request.limit, "integrations", key=lambda row: row.id, item=lambda row: shown(context, row))


async def create_integration(context: Context, request: CreateIntegration) -> Integration:
    await context.parts.access.require(context.principal, Permission.MANAGE, request.workspace_id)
    _check_target(context, request.kind, request.url, request.recipients)
    secret = new_secret() if request.kind is Kind.WEBHOOK else None
    user_id, now = context.user.user_id, context.now()
    async with context.parts.database.write() as connection:
        await users.ensure(connection, user_id, at=now)
        if await integrations.count_of(connection, request.workspace_id) >= MAX_IN_WORKSPACE:
            raise Conflict(
                f"The workspace has {MAX_IN_WORKSPACE} integrations, which is the limit; delete one.",
                code="too_many_integrations",
                details={"limit": MAX_IN_WORKSPACE},
            )
        created = await integrations.create(
            connection,
            workspace_id=request.workspace_id,
            name=request.name,
            kind=request.kind,
            settings={"recipients": request.recipients} if request.recipients else {},
            feeds=request.feeds or ["activity"],
            events=request.events or ["*"],
            owner=user_id,
            enabled=request.enabled,
            at=now,
        )
        credentials = Credentials(url=request.url, secret=secret)
        columns = sealed(context.parts.sources.sealer, created.id, credentials)
        created = await integrations.change(connection, created.id, **columns) or created
        await begin_here(connection, created)
        details = {"workspace_id": created.workspace_id, "name": created.name, "kind": created.kind}
        await record(connection, context, "integrations.create", str(created.id), details)
    return shown(context, created, secret=secret)


async def get_integration(context: Context, request: GetIntegration) -> Integration:
    return shown(context, await require_integration(context, request.integration_id))


async def update_integration(context: Context, request: UpdateIntegration) -> Integration:
    before = await require_integration(context, request.integration_id)
    values, secret = _changes(context, request, before)
    if not values:
        return shown(context, before)
    now = context.now()
    async with context.parts.database.write() as connection:
        changed = await integrations.change(connection, before.id, **values, updated_at=now)
        if changed is None:
            raise _gone(before.id)
        if "feeds" in values:
            await begin_here(connection, changed, instead_of=before.feeds)
        if values.get("enabled"):
            await deliveries.wake(connection, before.id, at=now)
        names = {"address" if name == "credentials" else name for name in values} - {"key_id"}
        await record(connection, context, "integrations.update", str(before.id), {"changed": sorted(names)})
    return shown(context, changed, secret=secret)


def _changes(
    context: Context, request: UpdateIntegration, before: integrations.Integration
) -> tuple[dict[str, Any], str | None]:
    """The columns that change, and a secret that was made."""
    kind = Kind(before.kind)
    given = {name: getattr(request, name) for name in ("name", "feeds", "events", "enabled")}
    values = {name: value for name, value in given.items() if value is not UNSET}
    if request.enabled is True:
        values |= {"disabled_reason": None, "failing_since": None}
    if request.recipients is not UNSET:
        _check_target(context, kind, None, request.recipients)
        values["settings"] = {**before.settings, "recipients": request.recipients}
    if request.url is not UNSET:
        _check_target(context, kind, request.url, None)
    if request.rotate_secret and kind is not Kind.WEBHOOK:
        raise _bad("rotate_secret", f"an integration of the kind {kind} has no secret")
    secret = new_secret() if request.rotate_secret else None
    if request.url is not UNSET or secret is not None:
        old = _credentials(context, before)
        url = old.url if request.url is UNSET else request.url
        fresh = Credentials(url=url, secret=secret or old.secret)
        values |= sealed(context.parts.sources.sealer, before.id, fresh)
    return values, secret


async def delete_integration(context: Context, request: DeleteIntegration) -> None:
    before = await require_integration(context, request.integration_id)
    async with context.parts.database.write() as connection:
        if not await integrations.remove(connection, before.id):
            raise _gone(before.id)
        await record(connection, context, "integrations.delete", str(before.id), {"name": before.name})


async def require_integration(context: Context, integration_id: int) -> integrations.Integration:
    """The integration, if the caller administers its workspace. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        found = await integrations.get(connection, integration_id)
    if found is None:
        raise _gone(integration_id)
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, found.workspace_id)
    except NotFound:
        raise _gone(integration_id) from None
    return found


def _check_target(context: Context, kind: Kind, url: str | None, recipients: list[str] | None) -> None:
    """Raises InvalidRequest, Conflict."""
    if kind is Kind.EMAIL:
        if url is not None:
            raise _bad("url", "an integration of the kind email has `recipients` instead")
        if recipients is None:
            raise _bad("recipients", "an integration of the kind email needs them")
        if context.parts.outgoing.mail.server is None:
            raise Conflict("The operator has named no mail server: STUDIO_SMTP_URL is not set.", code="no_mail_server")
        return
    if recipients is not None:
        raise _bad("recipients", f"an integration of the kind {kind} has a `url` instead")
    if url is None:
        raise _bad("url", f"an integration of the kind {kind} needs one")
    try:
        context.parts.outgoing.http.policy.check_url(url)
    except NotAllowed as error:
        raise InvalidRequest(f"url: {error}", code="address_not_allowed", details={"parameter": "url"}) from None


def _credentials(context: Context, row: integrations.Integration) -> Credentials:
    try:
        return opened(context.parts.sources.sealer, row)
    except WrongKey as error:
        raise Conflict(f"It cannot be changed: {error}.", code="wrong_credentials_key") from None


def shown(context: Context, row: integrations.Integration, *, secret: str | None = None) -> Integration:
    """An integration as clients see it."""
    return Integration(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        kind=Kind(row.kind),
        address=_shown_address(context, row),
        recipients=row.settings.get("recipients") or [],
        feeds=row.feeds,
        events=row.events,
        owner=row.owner,
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        created_at=row.created_at,
        updated_at=row.updated_at,
        secret=secret,
    )


def _shown_address(context: Context, row: integrations.Integration) -> str | None:
    try:
        url = opened(context.parts.sources.sealer, row).url
    except WrongKey:
        return None
    if url is None:
        return None
    parts = urlsplit(url)
    rest = "/…" if parts.path.strip("/") or parts.query else "/"
    return f"{parts.scheme}://{parts.netloc}{rest}"


def _bad(parameter: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{parameter}: {why}.", details={"parameter": parameter})


def _gone(integration_id: int) -> NotFound:
    return NotFound(f"There is no integration {integration_id}, or you are not a member of its workspace.")


OPERATIONS = (
    Operation(
        "integrations.list",
        ListIntegrations,
        Page[Integration],
        list_integrations,
        f"GET {PATH}",
        Permission.SIGNED_IN,
        "List a workspace's integrations.",
        errors=(Forbidden, NotFound),
    ),
    Operation(
        "integrations.create",
        CreateIntegration,
        Integration,
        create_integration,
        f"POST {PATH}",
        Permission.SIGNED_IN,
        "Send a workspace's events to a webhook, a channel or people.",
        status=201,
        errors=(Conflict, Forbidden, NotFound),
    ),
    Operation(
        "integrations.get",
        GetIntegration,
        Integration,
        get_integration,
        f"GET {ONE}",
        Permission.SIGNED_IN,
        "Get an integration.",
        errors=(Forbidden,),
    ),
    Operation(
        "integrations.update",
        UpdateIntegration,
        Integration,
        update_integration,
        f"PATCH {ONE}",
        Permission.SIGNED_IN,
        "Change an integration.",
        errors=(Conflict, Forbidden),
    ),
    Operation(
        "integrations.delete",
        DeleteIntegration,
        None,
        delete_integration,
        f"DELETE {ONE}",
        Permission.SIGNED_IN,
        "Delete an integration.",
        status=204,
        errors=(Forbidden,),
    ),
)
