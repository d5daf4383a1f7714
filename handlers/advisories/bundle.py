"""The advisories that audits go by: how old they are, and newer ones from a signed file."""

from __future__ import annotations

from collections import Counter
from datetime import date

import msgspec

from analysis.advisories import matching
from analysis.advisories.bundles import BundleError
from analysis.advisories.records import Line
from handlers.advisory_bundles import Held, held, take
from handlers.audit_trail import record
from handlers.registry import Context, Instant, InvalidRequest, Operation, Permission


class GetAdvisories(msgspec.Struct, frozen=True, kw_only=True):
    pass


class ImportAdvisories(msgspec.Struct, frozen=True, kw_only=True):
    """The body is the signed file as it is: its signature covers each byte of the payload in it."""

    body: bytes = b""


class ProductAdvisories(msgspec.Struct, frozen=True, kw_only=True):
    """`lines` are the lines of releases that the bundle knows the end or the newest release of."""

    product: str
    advisories: int
    lines: list[Line]


class Advisories(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle that counts. Once it `is_stale`, no version passes by it; those that it knows to be bad still fail.

    `key` names the key that signed it, `imported_at` is null for the one that this release came with. `refused` says
    why an imported one that is newer does not count.
    """

    version: int
    dated: date
    age_days: int
    is_stale: bool
    stale_after_days: int
    key: str
    imported_at: Instant | None
    refused: str | None
    sources: list[str]
    advisories: int
    products: list[ProductAdvisories]


async def get_advisories(context: Context, request: GetAdvisories) -> Advisories:  # noqa: ARG001 - as all handlers
    async with context.parts.database.read() as connection:
        return _shown(await held(connection, context.parts.advisory_keys), context.now().date())


async def import_advisories(context: Context, request: ImportAdvisories) -> Advisories:
    keys, by, at = context.parts.advisory_keys, context.user.user_id, context.now()
    try:
        async with context.parts.database.write() as connection:
            taken = await take(connection, request.body, keys, by=by, at=at)
            details = {"version": taken.read.bundle.version, "key": taken.read.key}
            await record(connection, context, "security.advisories.import", "advisories", details)
    except BundleError as error:
        raise InvalidRequest(str(error), code="bundle_refused") from None
    return _shown(taken, context.now().date())


def _shown(it: Held, today: date) -> Advisories:
    bundle = it.read.bundle
    counts = Counter(part.package.name for one in bundle.advisories for part in one.affected)
    products = sorted({*counts, *bundle.lines})
    return Advisories(
        version=bundle.version,
        dated=bundle.dated,
        age_days=matching.age_days(bundle, today),
        is_stale=matching.is_stale(bundle, today),
        stale_after_days=matching.STALE_AFTER_DAYS,
        key=it.read.key,
        imported_at=it.imported_at,
        refused=it.refused,
        sources=bundle.sources,
        advisories=len(bundle.advisories),
        products=[
            ProductAdvisories(product=name, advisories=counts[name], lines=bundle.lines.get(name, []))
            for name in products
        ],
    )


OPERATIONS = (
    Operation(
        "security.advisories.get",
        GetAdvisories,
        Advisories,
        get_advisories,
        "GET /security/advisories",
        Permission.SIGNED_IN,
        "Show which advisories audits go by, and how old they are.",
    ),
    Operation(
        "security.advisories.import",
        ImportAdvisories,
        Advisories,
        import_advisories,
        "POST /security/advisories",
        Permission.SERVER_ADMIN,
        "Import a newer bundle of advisories from a signed file.",
    ),
)
