"""`/metrics`: who may read it, and the answer in Prometheus' text or as OpenMetrics."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.registry import Forbidden, NotAuthenticated, OperationError, Principal, Unavailable
from handlers.scopes import METRICS
from server.metrics import Metrics, Page
from server.problems import fault_response, problem_response, request_id_of
from server.settings import Settings
from storage.errors import StorageError

logger = logging.getLogger(__name__)

Authenticate = Callable[[Request], Awaitable[Principal | None]]

# A proxy leaves at least one of these, if it is set up as it should be.
FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class MetricsGuard:
    """Figures name nobody, and still say how busy a server is and with what: not for everybody on the Internet."""

    def __init__(self, settings: Settings, authenticate: Authenticate) -> None:
        self._is_public = settings.metrics_public
        self._is_behind_proxy = settings.public_url is not None or bool(settings.trusted_proxies)
        self._authenticate = authenticate

    async def admit(self, request: Request) -> None:
        """Returns for whoever may read. Raises NotAuthenticated, Forbidden.

        A key of any user is good enough: so the one that lies beside the scraper opens nothing else to speak of.
        """
        if self._is_public or self._is_from_this_machine(request):
            return
        principal = await self._authenticate(request)
        if principal is None:
            raise NotAuthenticated("Send an API key, or the token of a server administrator.")
        if not (principal.is_admin or principal.via == "api_key"):
            raise Forbidden("Metrics are for server administrators and for API keys.")
        if principal.scope is not None:
            principal.scope.require(METRICS, changes=False)

    def _is_from_this_machine(self, request: Request) -> bool:
        """Whether somebody on this machine asks for this machine: no proxy, and no web page of somewhere else."""
        if self._is_behind_proxy or any(name in request.headers for name in FORWARDING_HEADERS):
            return False
        return request.client is not None and _is_loopback(request.client.host) and _is_loopback(request.url.hostname)


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def metrics_route(metrics: Metrics, guard: MetricsGuard | None) -> Route:
    """`GET /metrics`; without a guard for everybody."""
    page = Page()

    async def answer(request: Request) -> Response:
        if guard is not None:
            await guard.admit(request)
        # Scraped is what holds now: a load balancer may never have asked.
        await metrics.readiness.look()
        content, media_type = await asyncio.to_thread(page.write, metrics.collect(), request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except OperationError as error:
            return problem_response(error, request_id_of(request))
        except StorageError as error:
            logger.warning("who asks for metrics cannot be looked up: %s", error)
            return problem_response(Unavailable("Who asks cannot be looked up now; try again."), request_id_of(request))
        except Exception as error:
            return fault_response(error, request_id_of(request))

    return Route("/metrics", endpoint)
