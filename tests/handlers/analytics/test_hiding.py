"""Values of sensitive columns are in no answer, whoever found out that they are sensitive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from analysed import Analyst, analyse

from analysis.frames import Role, frame_of
from handlers.analytics.hiding import hidden, sensitive_columns

MAILS = [f"person{number}@example.org" for number in range(300)]
CARDS = [("4111111111111111", "5500000000000004", "340000000000009")[number % 3] for number in range(300)]


def test_what_looks_sensitive_is_found_and_what_was_said_is_believed() -> None:
    frame = frame_of(
        {
            "contact": MAILS,
            "card": [int(card) for card in CARDS],
            "region": ["north", "south", "east"] * 100,
            "score": np.arange(300.0),
        }
    )
    found = sensitive_columns(frame, {"score": "a secret score"})
    assert "mail" in found["contact"].lower()
    assert "card" in found["card"].lower()
    assert found["score"] == "a secret score"
    assert "region" not in found


def test_texts_become_shapes_and_numbers_only_whether_they_are_there() -> None:
    frame = frame_of({"contact": ["ab@x.org", "cd@x.org", None, "ab@x.org"], "score": [1.5, None, 3.0, 4.0]})
    why = {"contact": "an address", "score": "a secret"}
    shown = hidden(frame, why, keep_numbers=False)
    contact, score = shown.columns
    assert contact.levels is not None
    assert contact.levels.tolist() == ["xx@x.xxx #1", "xx@x.xxx #2"]
    assert contact.values.tolist() == [0, 1, -1, 0]
    assert (score.role, score.values.tolist()) == (Role.OTHER, [True, False, True, True])
    kept = hidden(frame, why, keep_numbers=True)
    assert kept.column("score").values[0] == 1.5
    assert hidden(frame, {}, keep_numbers=False).column("contact").levels.tolist() == ["ab@x.org", "cd@x.org"]  # type: ignore[union-attr]


def test_when_the_time_is_over_texts_that_nobody_looked_at_are_hidden() -> None:
    frame = frame_of({"contact": MAILS, "email": MAILS, "score": np.arange(300.0)})
    found = sensitive_columns(frame, {}, seconds=-1.0)
    assert set(found) == {"contact", "email"}
    assert "in time" in found["contact"]


def test_no_value_of_a_sensitive_column_is_in_an_answer(sqlite_url: str, tmp_path: Path) -> None:
    rows = ", ".join(f"('{MAILS[n]}', {CARDS[n]}, '{('Zanzibar', 'Quito')[n % 2]}', {n})" for n in range(len(MAILS)))
    sql = f"CREATE TABLE people (mail TEXT, card INTEGER, city TEXT, score REAL); INSERT INTO people VALUES {rows};"

    async def scenario(analyst: Analyst) -> None:
        people = (await analyst.sqlite(sql))["people"]
        place = f"/catalog/datasets/{people}/columns/city"
        assert (await analyst.ada.patch(place, json={"sensitivity": "restricted"})).status_code == 200
        for kind, asked in (
            ("correlations", {}),
            ("relationships", {"others": 0}),
            ("insights", {}),
            ("predictions", {"target": "city", "columns": ["city", "score"], "predictions": 5, "seconds": 10}),
        ):
            text = str(await analyst.ask(kind, people, **asked))
            for secret in ("Zanzibar", "Quito", "person7@", *CARDS[:3]):
                assert secret not in text, (kind, secret)
        predicted = await analyst.ask(
            "predictions", people, target="city", columns=["city", "score"], predictions=5, seconds=10
        )
        status = {column["name"]: column["status"] for column in predicted["columns"]}
        assert status == {"city": "hidden", "score": "ok"}
        assert set(predicted["result"]["column"]["classes"]) == {"Xxxxxxxx #1", "Xxxxx #2"}
        refused = await analyst.ask("predictions", people, target="card", columns=["card", "score"])
        assert refused["error"]["code"] == "hidden_column"

    analyse(sqlite_url, tmp_path, scenario)


def test_what_was_told_before_it_was_called_secret_is_not_told_again(sqlite_url: str, tmp_path: Path) -> None:
    rows = ", ".join(f"('{'Quito' if n % 5 == 0 else 'Zanzibar'}', {n})" for n in range(100))

    async def scenario(analyst: Analyst) -> None:
        table = (await analyst.sqlite(f"CREATE TABLE t (city TEXT, x REAL); INSERT INTO t VALUES {rows};"))["t"]
        before = await analyst.ask("insights", table)
        assert "Zanzibar" in str(before["result"])
        place = f"/analytics/results/{before['result_id']}"
        assert "Zanzibar" in str(await analyst.get(place))
        await analyst.ada.patch(f"/catalog/datasets/{table}/columns/city", json={"sensitivity": "confidential"})
        assert (await analyst.refused(place))[:2] == (409, "now_hidden")
        assert (await analyst.refused(f"{place}/findings"))[:2] == (409, "now_hidden")
        assert "Zanzibar" not in str(await analyst.ask("insights", table))

    analyse(sqlite_url, tmp_path, scenario)
