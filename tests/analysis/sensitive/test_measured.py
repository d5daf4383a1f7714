"""Floors of what benchmarks/CLASSIFICATION.md tells at length: names of many countries, look-alikes, shipped data."""

import random

import pytest
from labelled_columns import card
from random_ids import SHAPES, random_id
from sensitive_locales import LOCALES, UNSEEN, columns_of_other_types, columns_of_people, harmless_columns
from shipped_columns import LABELS, shipped_columns

from analysis.columns import column_of
from analysis.sensitive.classify import classify_column

SEED = 31


def told(name: str, values: list[object], beside: list[str] | None = None) -> list[str]:
    return [one.type for one in classify_column(column_of(name, values), beside=beside or ())]


def test_people_of_eleven_countries_are_told_and_nothing_else() -> None:
    columns = list(columns_of_people([country for country in LOCALES if country not in UNSEEN], SEED))
    found = [(one, told(one.name, one.values)) for one in columns]
    missed = [(one.name, one.label) for one, types in found if one.label not in types]
    wrong = [(one.name, types) for one, types in found if set(types) - {one.label}]
    print(f"seed {SEED}: missed {missed}, wrong {wrong}")
    assert len(missed) <= 0.03 * len(columns)
    assert len(wrong) <= 0.03 * len(columns)


def test_types_with_a_check_are_told_and_nothing_else() -> None:
    for column in columns_of_other_types(SEED):
        assert told(column.name, column.values) == [column.label], column.name


def test_what_only_looks_like_it_is_left_alone() -> None:
    """Groups of three, three and four digits with dots are telephone numbers to anybody whom no name tells better."""
    wrong = [(one.name, types) for one in harmless_columns(SEED) if (types := told(one.name, one.values))]
    print(f"seed {SEED}: {wrong}")
    assert [types for _, types in wrong] in ([], [["phone"]])


def test_columns_that_packages_ship() -> None:
    found = {(one.table, one.name): told(one.name, one.values, one.beside) for one in shipped_columns()}
    assert len(found) > 110
    assert {key: types for key, types in found.items() if types and key not in LABELS} == {
        ("wheat", "wages"): ["income"]
    }
    assert {key: types for key, types in found.items() if key in LABELS} == {
        key: [label] for key, label in LABELS.items()
    }


@pytest.mark.parametrize("label", SHAPES)
def test_columns_of_random_ids_are_told_as_nothing_of_their_shape(label: str) -> None:
    chance = random.Random(SEED)
    columns = [[random_id(chance, label) for _ in range(100)] for _ in range(4)]
    assert not any(label in told("value", list(column)) for column in columns), f"seed {SEED}"


def test_numbers_that_all_begin_like_cards_hold_no_cards() -> None:
    """One in ten of them passes the check of cards, which is the share that chance lets pass."""
    chance = random.Random(SEED)
    columns = [[f"4{random_id(chance, 'credit_card')[1:]}" for _ in range(1000)] for _ in range(6)]
    assert [told("value", list(orders)) for orders in columns] == [[]] * 6, f"seed {SEED}"
    mixed = [*columns[0][:700], *(card(chance) for _ in range(300))]
    assert told("value", list(mixed)) == ["credit_card"]
