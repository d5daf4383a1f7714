"""From a question to its answer: kept, stored, being computed by somebody, or computed now."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from handlers.analytics import events
from handlers.analytics.answers import Analysis, Progress, completed
from handlers.analytics.computed import AnswerState, Computed
from handlers.analytics.findings import findings_of
from handlers.analytics.grounds import Ground
from handlers.analytics.questions import Question, asked, options_of
from handlers.analytics.result_types import RESULTS
from handlers.analytics.tasks import AnalysisKind, Task
from handlers.analytics.versions import (
    PATIENCE_FOR_WATCHERS,
    PATIENCE_SECONDS,
    Version,
    digest_of,
    version_of,
)
from handlers.computations import Progress as Course
from handlers.computations import Underway
from handlers.parts import Parts
from handlers.registry import Context, OperationError, Unavailable
from handlers.source_access import answering_for_source
from handlers.source_readers import ReaderLostError, Tell
from storage import analytics
from storage.catalog import Dataset

logger = logging.getLogger(__name__)

# What broke or ran out of time is tried again after this; who asks or watches meanwhile gets what there is.
PASSING_SECONDS = 30.0
# A typed answer takes about so many times the bytes of its JSON.
_IN_MEMORY = 4

Related = tuple[Dataset, ...]


Finish = Callable[[Parts, Analysis[Any]], Awaitable[Analysis[Any]]]


@dataclass(frozen=True, slots=True)
class Aside:
    """What belongs to a question besides its parameters; see `answer`."""

    related: Related
    more: dict[str, Any]
    reference: bytes | None
    notes: tuple[str, ...]
    finish: Finish | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of certain content: `key` names the question, `stamp` the content and how it may be told."""

    kind: AnalysisKind
    question: Question
    ground: Ground
    version: Version
    aside: Aside
    key: str
    stamp: str

    @property
    def last_key(self) -> tuple[object, ...]:
        """Of the newest answer to whoever sees the same of the dataset."""
        return ("last", self.key, self.ground.view.digest, *sorted(self.ground.hidden))

    @property
    def passing_key(self) -> tuple[object, ...]:
        """Of an answer that is not the last word; more time may make another of it."""
        return ("passing", self.key, self.stamp, self.question.seconds)

    @property
    def empty(self) -> Analysis[Any]:
        """Its answer, before there is one."""
        dataset = self.ground.dataset
        return Analysis(
            kind=self.kind,
            dataset_id=dataset.id,
            dataset=dataset.full_name,
            workspace_id=dataset.workspace_id,
            state=AnswerState.COMPUTING,
            cached=False,
            is_outdated=False,
            version=self.version,
            feed=events.feed_name(dataset.id),
            row_view=self.ground.view.row_digest,
        )


async def answer(
    context: Context,
    kind: AnalysisKind,
    question: Question,
    ground: Ground,
    *,
    related: Related = (),
    more: Mapping[str, Any] | None = None,
    reference: bytes | None = None,
    notes: Sequence[str] = (),
    finish: Finish | None = None,
) -> Analysis[Any]:
    """The answer, or that it is being computed. Raises OperationError.

    `related` are other datasets of the source; `more` and `reference` are what the analysis takes that is not the
    client's to say, `notes` what the answer shall tell. `finish` is done to it before it is stored.
    """
    patience = PATIENCE_FOR_WATCHERS if context.is_watched else PATIENCE_SECONDS
    version = await version_of(context.parts, ground.source, ground.dataset, wait=patience)
    if related:
        version = await _with_others(context.parts, version, ground, related)
    aside = Aside(related, dict(more or {}), reference, tuple(notes), finish)
    it = _asked(kind, question, ground, version, aside)
    found = await _found(context.parts, it)
    if found is None:
        found = await _computed(context, it)
    return _with_verdicts(found, ground)


async def _with_others(parts: Parts, version: Version, ground: Ground, related: Related) -> Version:
    """The content of all of them. What is wrong with another one takes nothing from the answer."""
    values: list[str | None] = [version.value]
    for dataset in related:
        try:
            values.append((await version_of(parts, ground.source, dataset, wait=PATIENCE_FOR_WATCHERS)).value)
        except OperationError as error:
            values.append(error.code)
    return msgspec.structs.replace(version, value=digest_of(*values))


def _with_verdicts(found: Analysis[Any], ground: Ground) -> Analysis[Any]:
    """The answer with what was said of those findings that are in it."""
    if not ground.verdicts:
        return found
    prints = findings_of(found).keys()
    said = [verdict for verdict in ground.verdicts if verdict.fingerprint in prints]
    return msgspec.structs.replace(found, verdicts=said)


def _asked(kind: AnalysisKind, question: Question, ground: Ground, version: Version, aside: Aside) -> Asked:
    key = digest_of(kind.value, ground.dataset.id, asked(question))
    stamp = digest_of(
        version.method,
        version.value,
        ground.source.updated_at.isoformat(),
        ground.dataset.changed_at.isoformat(),
        sorted(ground.hidden.items()),
        ground.view.digest,
        [dataset.id for dataset in aside.related],
        aside.more,
        hashlib.sha256(aside.reference or b"").hexdigest(),
    )
    return Asked(kind, question, ground, version, aside, key, stamp)


# What is there


async def _found(parts: Parts, it: Asked) -> Analysis[Any] | None:
    """The answer that this node or another has computed."""
    kept = parts.computations.kept.get((it.key, it.stamp))
    passing = parts.computations.kept.get(it.passing_key, max_age=PASSING_SECONDS)
    if isinstance(found := kept or passing, Analysis):
        return msgspec.structs.replace(found, cached=True)
    async with parts.database.read() as connection:
        row = await analytics.latest(connection, it.ground.dataset.id, it.key, it.stamp)
    if row is None:
        return None
    stored = await asyncio.to_thread(decode, it.kind, row[1])
    return _keep(parts, it, msgspec.structs.replace(stored, result_id=row[0].id, cached=True), len(row[1]))


def _keep(parts: Parts, it: Asked, found: Analysis[Any], size: int) -> Analysis[Any]:
    parts.computations.kept.put((it.key, it.stamp), found, _IN_MEMORY * size)
    # What a watcher is shown while the next one is computed.
    parts.computations.kept.put(it.last_key, found, 200)
    return found


def decode(kind: AnalysisKind, body: bytes) -> Analysis[Any]:
    found: Analysis[Any] = _decoder(kind).decode(body)
    return found


@functools.cache
def _decoder(kind: AnalysisKind) -> msgspec.json.Decoder[Any]:
    generic: Any = Analysis
    return msgspec.json.Decoder(generic[RESULTS[kind]])


@functools.cache
def _computed_decoder(kind: AnalysisKind) -> msgspec.json.Decoder[Any]:
    generic: Any = Computed
    return msgspec.json.Decoder(generic[RESULTS[kind]])


# What is not


async def _computed(context: Context, it: Asked) -> Analysis[Any]:
    parts, user = context.parts, context.user.user_id

    async def start(course: Course) -> Analysis[Any]:
        return await _compute(context, it, course, user)

    # Who watches is told when it is there.
    wait = 0.0 if context.is_watched else it.question.wait
    try:
        return await parts.computations.get((it.key, it.stamp), start, wait=wait)
    except Underway as going:
        progress = Progress(share=going.progress.share, note=going.progress.note, seconds=round(going.seconds, 1))
        last = parts.computations.kept.get(it.last_key) if context.is_watched else None
        if isinstance(last, Analysis):
            return msgspec.structs.replace(last, cached=True, is_outdated=True, progress=progress)
        return msgspec.structs.replace(it.empty, progress=progress)


async def _compute(context: Context, it: Asked, course: Course, user: str) -> Analysis[Any]:
    parts, ground, began = context.parts, it.ground, time.monotonic()
    task = _task(it)
    teller = events.Teller(parts, ground.dataset, task, it.key, course)
    try:
        body = await _read(parts, ground, task, teller.tell)
    finally:
        await teller.close()
        # Whoever watches looks again, whatever came of it.
        asyncio.get_running_loop().call_soon(_tell_watchers, parts, ground)
    computed: Computed[Any] = await asyncio.to_thread(_computed_decoder(it.kind).decode, body)
    found = completed(it.empty, computed, time.monotonic() - began, context.now())
    found = msgspec.structs.replace(found, notes=[*it.aside.notes, *found.notes])
    if it.aside.finish is not None:
        found = await it.aside.finish(parts, found)
    # Words that the language model did not find today it may find tomorrow.
    if not computed.lasts or (it.aside.finish is not None and not found.rephrased):
        parts.computations.kept.put(it.passing_key, found, _IN_MEMORY * len(body))
        return found
    return await _stored(parts, it, found, user)


async def _read(parts: Parts, ground: Ground, task: Task, tell: Tell) -> bytes:
    source = ground.source
    with answering_for_source():
        settings = parts.sources.settings_of(source)
        try:
            async with parts.readers.reader(source.id, source.updated_at, source.kind, settings) as reader:
                return await reader.run(answer_in_reader, task, tell=tell)
        except ReaderLostError:
            raise Unavailable(
                "The process that computed it died, of too little memory most often; ask for fewer rows or columns.",
                code="reader_lost",
            ) from None


async def answer_in_reader(connector: Any, tell: Tell, task: Task) -> bytes:
    """Runs in a reader, which alone loads what computes."""
    from handlers.analytics import analysing  # noqa: PLC0415 - numpy, scipy, the analyses

    return await analysing.answer(connector, tell, task)


async def _stored(parts: Parts, it: Asked, found: Analysis[Any], user: str) -> Analysis[Any]:
    dataset, body = it.ground.dataset, msgspec.json.encode(found)
    assert found.computed_at is not None
    prints = findings_of(found)
    async with parts.feeds.writing() as (connection, outbox):
        result_id = await analytics.put(
            connection,
            workspace_id=dataset.workspace_id,
            dataset_id=dataset.id,
            kind=it.kind.value,
            key=it.key,
            version=it.stamp,
            parameters=msgspec.json.encode(asked(it.question)).decode(),
            state=found.state.value,
            findings=len(prints),
            seconds=found.seconds or 0.0,
            body=body,
            created_by=user,
            at=found.computed_at,
        )
        told: Mapping[str, Any] = {
            "kind": it.kind.value,
            "key": it.key,
            "result_id": result_id,
            "state": found.state.value,
            "findings": len(prints),
        }
        events.add_finished(outbox, dataset, dict(told), user)
    found = msgspec.structs.replace(found, result_id=result_id)
    _keep(parts, it, found, len(body))
    return found


def _tell_watchers(parts: Parts, ground: Ground) -> None:
    parts.changes.tell(events.TOPIC, ground.dataset.workspace_id, events.subject_of(ground.dataset.id))


def _task(it: Asked) -> Task:
    dataset, question = it.ground.dataset, it.question
    return Task(
        kind=it.kind,
        dataset=dataset.full_name,
        schema_name=dataset.schema or None,
        name=dataset.name,
        columns=tuple(question.columns) if question.columns else None,
        rows=question.rows,
        seed=question.seed,
        seconds=question.seconds,
        hidden=it.ground.hidden,
        options={**options_of(question), **it.aside.more},
        related=tuple((each.schema or None, each.name) for each in it.aside.related),
        reference=it.aside.reference,
        view=it.ground.view.brief(),
    )
