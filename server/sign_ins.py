"""Sign-ins by requests: a credential that comes from an address for the first time within an hour is one.

A row of the audit trail for each request would be no use to anybody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from handlers.audit_trail import AuditTrail
from handlers.registry import Principal
from server.visitors import Visitor

NOTED_EVERY = timedelta(hours=1)
# Those of a large installation; whoever is forgotten is noted once more.
REMEMBERED = 10_000


class SignIns:
    """One a node."""

    def __init__(self, audit: AuditTrail, now: Callable[[], datetime]) -> None:
        self._audit = audit
        self._now = now
        self._noted: OrderedDict[tuple[str, str, str | None], datetime] = OrderedDict()

    def note(self, principal: Principal, visitor: Visitor) -> None:
        """Somebody was let in by a request."""
        who, now = (principal.user_id, principal.via, visitor.address), self._now()
        noted = self._noted.get(who)
        if noted is not None and now < noted + NOTED_EVERY:
            return
        self._noted[who] = now
        self._noted.move_to_end(who)
        if len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        self._audit.signed_in(user_id=principal.user_id, via=principal.via, request_id="", address=visitor.address)
