"""Is the process alive, and can it do its work: for load balancers and supervisors, without a credential."""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handlers.parts import Parts
from storage.errors import StorageError


def health_routes(parts: Parts) -> list[Route]:
    """``/health``: the process lives. ``/ready``: the database answers too. ``/`` leads to the documentation."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        try:
            async with parts.database.read():
                return JSONResponse({"status": "ready", "rooms": parts.rooms.open_count})
        except StorageError:
            return JSONResponse({"status": "unavailable", "reason": "the database does not answer"}, 503)

    async def root(_: Request) -> Response:
        return RedirectResponse("/docs")

    return [Route("/health", health), Route("/ready", ready), Route("/", root)]
