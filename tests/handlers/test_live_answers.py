"""Watched operations on a node: how often answers are computed, for whom, and when watches end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from http_node import Node, serving

from handlers.access import Role
from handlers.answer_channel import AnswerWatch, Form, Kind
from handlers.changes import Changed
from handlers.live_answers import LiveAnswers
from handlers.registry import (
    Context,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Operation,
    OperationError,
    Permission,
    Principal,
    Unavailable,
    Watched,
)
from storage import members
from storage.errors import Unavailable as StorageUnavailable

DEADLINE = 20.0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: str = "lab"
    factor: int = 1


class Told(msgspec.Struct, frozen=True, kw_only=True):
    n: int
    user: str | None


@dataclass
class Well:
    """What answers are drawn from."""

    n: int = 1
    error: Exception | None = None
    asked: list[str | None] = field(default_factory=list)

    async def draw(self, context: Context, request: Ask) -> Told:
        user = context.principal.user_id if context.principal else None
        self.asked.append(user)
        if self.error is not None:
            raise self.error
        return Told(n=self.n * request.factor, user=user)

    def operation(self, name: str, **watched: Any) -> Operation:
        declared = Watched(frozenset({"wells"}), **watched)
        route = f"GET /{name.replace('.', '-')}"
        return Operation(name, Ask, Told, self.draw, route, Permission.READ, "Draw.", watched=declared)


class Panel:
    """A watcher that keeps what it is given."""

    def __init__(self) -> None:
        self.is_congested = False
        self.value: dict[str, Any] = {}
        self.sequences: list[int] = []
        self.error: OperationError | None = None
        self._news = asyncio.Event()

    def take(self, form: Form) -> None:
        assert self.error is None
        self.value = {**self.value, **form.value} if form.kind is Kind.PATCH else form.value
        self.sequences.append(form.sequence)
        self._news.set()

    def ended(self, error: OperationError) -> None:
        self.error = error
        self._news.set()

    async def until(self, condition: Callable[[Panel], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    async def until_n(self, n: int) -> None:
        await self.until(lambda panel: panel.value.get("n") == n)


@dataclass
class House:
    node: Node
    well: Well
    live: LiveAnswers

    async def watch(
        self, name: str = "wells.get", user: str = "ada", *, principal: Principal | None = None, **parameters: Any
    ) -> tuple[Panel, AnswerWatch]:
        panel = Panel()
        principal = principal or Principal(user, False, "token")
        return panel, await self.live.watch(name, parameters, panel, principal, "request-1")

    def say(self, topic: str = "wells", workspace_id: str | None = "lab", subject: str | None = None) -> None:
        self.node.parts.changes.tell(topic, workspace_id, subject)


async def standing_of_owner(context: Context, _: Ask) -> tuple[Permission, str | None]:
    """Whoever reads the workspace `lab` may, and nobody else, whichever workspace the request names."""
    await context.parts.access.require(context.principal, Permission.READ, "lab")
    return Permission.READ, "lab"


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[House]:
    well = Well()
    operations = [
        well.operation("wells.get"),
        well.operation("wells.mine", is_personal=True),
        well.operation("wells.part", subject=lambda request: f"dataset:{request.factor}"),
        well.operation("wells.clock", refresh_seconds=0.0),
        well.operation("wells.owned", standing=standing_of_owner),
        Operation("wells.still", Ask, Told, well.draw, "GET /still", Permission.READ, "Draw."),
    ]
    async with serving(folder) as node:
        await node.make_workspace("lab", ada=Role.EDITOR, vic=Role.VIEWER)
        await node.make_workspace("attic", ada=Role.EDITOR)
        live = LiveAnswers({operation.name: operation for operation in operations}, node.parts, node.now)
        running = asyncio.create_task(live.run())
        try:
            yield House(node, well, live)
        finally:
            running.cancel()
            await asyncio.wait((running,))


def play(folder: Path, scenario: Callable[[House], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE), opened(folder) as house:
            await scenario(house)

    asyncio.run(run())


def test_one_answer_is_computed_for_all_who_watch_it(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        panels = [(await house.watch(user=user))[0] for user in ("ada", "vic", "ada")]
        for panel in panels:
            await panel.until_n(1)
        house.well.n = 2
        house.say()
        for panel in panels:
            await panel.until_n(2)
        assert house.well.asked == [None, None]
        other, _ = await house.watch(factor=10)
        await other.until_n(20)
        assert len(house.well.asked) == 3

    play(tmp_path, scenario)


def test_what_an_operation_says_of_its_watchers_is_asked_of_each_and_the_answer_is_shared(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        await house.node.make_workspace("attic-2", olga=Role.OWNER)
        panels = [(await house.watch("wells.owned", user))[0] for user in ("ada", "vic")]
        for panel in panels:
            await panel.until_n(1)
        assert house.well.asked == [None]
        with pytest.raises(NotFound):
            await house.watch("wells.owned", "olga", workspace_id="attic-2")
        async with house.node.parts.database.write() as connection:
            await members.remove(connection, "lab", "vic")
        house.node.parts.access.invalidate("lab", "vic")
        await panels[1].until(lambda panel: panel.error is not None)
        assert isinstance(panels[1].error, NotFound)
        assert panels[0].error is None

    play(tmp_path, scenario)


def test_many_changes_are_one_answer_a_second(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        panel, _ = await house.watch()
        await panel.until_n(1)
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 1.6:
            house.well.n += 1
            house.live._changed(Changed("wells", "lab"))
            await asyncio.sleep(0.005)
        await panel.until_n(house.well.n)
        # At 0 s, 1 s and 2 s, and of the changes in between nothing.
        assert house.live.computed <= 4
        assert panel.sequences == list(range(1, len(panel.sequences) + 1))

    play(tmp_path, scenario)


def test_what_it_is_not_about_is_not_computed(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        panel, _ = await house.watch("wells.part", factor=3)
        await panel.until_n(3)
        house.well.n = 2
        house.say("scans")
        house.say(workspace_id="attic")
        house.say(subject="dataset:4")
        # Something else that is asked for is computed, and by then the others would have been.
        other, _ = await house.watch(workspace_id="attic")
        await other.until_n(2)
        assert house.live.computed == 2
        house.say(subject="dataset:3")
        await panel.until_n(6)
        house.well.n = 3
        house.say(workspace_id=None)
        await panel.until_n(9)

    play(tmp_path, scenario)


def test_the_clock_changes_answers_too(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        panel, _ = await house.watch("wells.clock")
        await panel.until_n(1)
        house.well.n = 2
        await panel.until_n(2)

    play(tmp_path, scenario)


def test_who_may_not_is_refused_and_what_cannot_be_watched_too(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        with pytest.raises(NotFound):
            await house.watch(user="eve")
        with pytest.raises(NotFound, match=r"wells\.none"):
            await house.watch("wells.none")
        with pytest.raises(InvalidRequest) as refused:
            await house.watch("wells.still")
        assert refused.value.code == "not_watchable"
        with pytest.raises(InvalidRequest, match="factor"):
            await house.watch(factor="many")
        assert house.well.asked == []
        assert not house.live._channels

    play(tmp_path, scenario)


def test_a_member_who_leaves_watches_no_longer_and_the_others_go_on(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        leaver, _ = await house.watch(user="vic")
        stayer, _ = await house.watch()
        await leaver.until_n(1)
        async with house.node.parts.database.write() as connection:
            await members.remove(connection, "lab", "vic")
        house.node.parts.access.invalidate("lab", "vic")
        await leaver.until(lambda panel: panel.error is not None)
        assert isinstance(leaver.error, NotFound)
        house.well.n = 2
        house.say()
        await stayer.until_n(2)
        assert leaver.value["n"] == 1

    play(tmp_path, scenario)


def test_a_token_that_ends_ends_the_watch(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        principal = Principal("ada", False, "token", house.node.clock + timedelta(seconds=30))
        panel, watch = await house.watch(principal=principal)
        renewed, other = await house.watch(principal=principal)
        await panel.until_n(1)
        other.principal = Principal("ada", False, "token", house.node.clock + timedelta(hours=1))
        house.node.clock += timedelta(seconds=31)
        await panel.until(lambda panel: panel.error is not None)
        assert isinstance(panel.error, NotAuthenticated)
        assert panel.error.code == "token_expired"
        assert watch.is_over
        assert renewed.error is None

    play(tmp_path, scenario)


def test_a_key_in_doubt_ends_the_watch(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        panel, _ = await house.watch(principal=Principal("ada", False, "api_key"))
        await panel.until_n(1)
        house.node.parts.access.invalidate(None, "ada")
        assert isinstance(panel.error, NotAuthenticated)
        assert panel.error.code == "sign_in_again"

    play(tmp_path, scenario)


def test_a_personal_answer_is_computed_for_each_and_ends_when_the_handler_says_no(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        ada, _ = await house.watch("wells.mine")
        vic, _ = await house.watch("wells.mine", user="vic")
        await ada.until_n(1)
        await vic.until_n(1)
        assert (ada.value["user"], vic.value["user"]) == ("ada", "vic")
        house.well.error = NotFound("There is no such well.")
        house.node.parts.access.invalidate("lab", "vic")
        await vic.until(lambda panel: panel.error is not None)
        assert ada.error is None

    play(tmp_path, scenario)


def test_the_database_is_away_for_a_while(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        panel, _ = await house.watch()
        await panel.until_n(1)
        house.well.n, house.well.error = 2, StorageUnavailable("away")
        house.say()
        late, _ = await house.watch(factor=2)
        await late.until(lambda panel: panel.error is not None)
        assert isinstance(late.error, Unavailable)
        house.well.error = None
        await panel.until_n(2)

    play(tmp_path, scenario)


def test_nothing_is_kept_of_watches_that_are_closed(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        panel, watch = await house.watch()
        await panel.until_n(1)
        house.live.close(watch)
        house.live.close(watch)
        assert not house.live._channels
        assert not house.live._watches.all()
        house.well.n = 2
        house.say()
        other, _ = await house.watch(factor=5)
        await other.until_n(10)
        assert panel.value["n"] == 1

    play(tmp_path, scenario)
