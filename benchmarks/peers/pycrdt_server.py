"""A pycrdt-websocket server on uvicorn, on 127.0.0.1:PORT, as its documentation shows it."""

from __future__ import annotations

import asyncio
import os

import uvicorn
from pycrdt.websocket import ASGIServer, WebsocketServer


async def main() -> None:
    websocket_server = WebsocketServer()
    application = ASGIServer(websocket_server)
    config = uvicorn.Config(application, port=int(os.environ["PORT"]), log_level="warning")
    async with websocket_server:
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main())
