"""May this user do this with that audit or finding: by its workspace."""

from __future__ import annotations

from handlers.registry import Context, Forbidden, NotFound, Permission
from storage import security_findings, security_scans
from storage.security_findings import Finding
from storage.security_scans import SecurityScan


async def require_scan(context: Context, scan_id: int, permission: Permission) -> SecurityScan:
    """The audit, if the caller may. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await security_scans.get(connection, scan_id)
    if row is None:
        raise no_scan(scan_id)
    try:
        await context.parts.access.require(context.principal, permission, row.workspace_id)
    except NotFound:
        raise no_scan(scan_id) from None
    return row


async def require_finding(context: Context, finding_id: int, permission: Permission) -> Finding:
    """The finding, if the caller may. Raises NotFound, Forbidden."""
    async with context.parts.database.read() as connection:
        row = await security_findings.get(connection, finding_id)
    if row is None:
        raise no_finding(finding_id)
    try:
        await context.parts.access.require(context.principal, permission, row.workspace_id)
    except NotFound:
        raise no_finding(finding_id) from None
    return row


async def may_manage(context: Context, workspace_id: str) -> bool:
    """Whether the caller may see what was seen in the workspace's sources: objects, evidence, who may do what."""
    try:
        await context.parts.access.require(context.principal, Permission.MANAGE, workspace_id)
    except (Forbidden, NotFound):
        return False
    return True


def no_scan(scan_id: int) -> NotFound:
    return NotFound(f"There is no security audit {scan_id}, or you are not a member of its workspace.")


def no_finding(finding_id: int) -> NotFound:
    return NotFound(f"There is no finding {finding_id}, or you are not a member of its workspace.")
