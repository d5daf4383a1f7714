"""What is there to see of a node, put together: figures, readiness, the traffic of requests, the lag of the loop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from handlers.parts import Parts
from server.gateway import Gateway
from server.health import Readiness, health_routes, root_route
from server.http_observation import HttpObservation
from server.loop_lag import LoopLag
from server.metrics import Metrics
from server.metrics_page import Authenticate, MetricsGuard, metrics_route
from server.metrics_port import listening
from server.problems import EXCEPTION_HANDLERS
from server.request_counts import RequestCounts
from server.settings import Settings

if TYPE_CHECKING:
    from server.open_telemetry import Tracing


class Instruments:
    """One a node. `readiness` has to be told of the essential tasks, `loop_lag` to be run."""

    def __init__(self, settings: Settings, parts: Parts, gateway: Gateway, tracing: Tracing | None) -> None:
        self._settings = settings
        self._parts = parts
        self._tracing = tracing
        self._http = RequestCounts()
        self.loop_lag = LoopLag()
        self.readiness = Readiness(parts, lambda: gateway.draining)
        self._metrics = Metrics(parts, gateway, self._http, self.loop_lag, self.readiness)

    def collect(self) -> list[Metric]:
        """Every figure of ours. To be called on the event loop."""
        return self._metrics.collect()

    def routes(self, authenticate: Authenticate) -> list[Route]:
        """The pages on the port of people."""
        guard = MetricsGuard(self._settings, authenticate)
        return [*health_routes(self._parts, self.readiness), metrics_route(self._metrics, guard), root_route()]

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application with every request of it seen."""
        return HttpObservation(app, self._http, writes_log=self._settings.access_log, tracing=self._tracing)

    def listening(self) -> contextlib.AbstractAsyncContextManager[None]:
        """The listener on the port of machines, where the settings want one, until the block ends."""
        routes = [*health_routes(self._parts, self.readiness), metrics_route(self._metrics, None)]
        return listening(self._settings, Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS))

    async def close(self) -> None:
        """Look at nothing any more, and send the traces that wait."""
        self.readiness.close()
        if self._tracing is not None:
            await self._tracing.close()
