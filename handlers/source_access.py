"""May this user do this with that data source: by the source's workspace, the same for every operation on sources."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

from connectors import errors
from connectors.connector import Connector
from handlers.registry import (
    Conflict,
    Context,
    InvalidRequest,
    NotFound,
    OperationError,
    Permission,
    Unavailable,
)
from storage import data_sources
from storage.data_sources import DataSource
from storage.sealing import WrongKey


async def require_source(context: Context, source_id: int, permission: Permission) -> DataSource:
    """The source, if the caller may. Raises NotFound also for whoever is not a member of its workspace; Forbidden."""
    async with context.parts.database.read() as connection:
        source = await data_sources.get(connection, source_id)
    if source is None:
        raise no_source(source_id)
    try:
        await context.parts.access.require(context.principal, permission, source.workspace_id)
    except NotFound:
        raise no_source(source_id) from None
    return source


def no_source(source_id: int) -> NotFound:
    return NotFound(f"There is no data source {source_id}, or you are not a member of its workspace.")


@contextlib.asynccontextmanager
async def use_source(context: Context, source_id: int) -> AsyncIterator[Connector]:
    """The source's connector; what goes wrong with the source inside the block becomes an answer.

    Ask `require_source` first: this asks nothing.
    """
    with answering_for_source():
        async with context.parts.sources.use(source_id) as connector:
            yield connector


@contextlib.contextmanager
def answering_for_source() -> Iterator[None]:
    """Raises an OperationError for a ConnectorError."""
    try:
        yield
    except (errors.ConnectorError, WrongKey) as error:
        raise answer_for(error) from error


def answer_for(error: errors.ConnectorError | WrongKey) -> OperationError:
    """The request error of what went wrong with a source; its code is the connector error's."""
    code = code_of(error)
    message = sentence(error)
    match error:
        case errors.Unreachable() | errors.StatementTimeout() | errors.OutOfMemory():
            return Unavailable(message, code=code)
        case errors.DatasetNotFound():
            return NotFound(message, code=code)
        case errors.StatementFailed():
            return InvalidRequest(message, code=code)
        case _:
            return Conflict(message, code=code)


def code_of(error: errors.ConnectorError | WrongKey) -> str:
    return "wrong_credentials_key" if isinstance(error, WrongKey) else error.code


def sentence(error: Exception) -> str:
    """Its text as a sentence."""
    text = " ".join(str(error).split())
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")
