"""Names of columns and datasets as words."""

import pytest

from analysis.relationships.column_words import names_evidence, words
from analysis.relationships.findings import ColumnName


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("customer_id", ("customer", "id")),
        ("CustomerID", ("customer", "id")),
        ("customerId", ("customer", "id")),
        ("customerid", ("customer", "id")),
        ("paid", ("paid",)),
        ("unpaid", ("unpaid",)),
        ("public.Categories", ("public", "category")),
        ("data/addresses.csv.gz", ("data", "address")),
        ("boxes", ("box",)),
        ("status", ("status",)),
        ("客户_id", ("客户", "id")),
        ("größe_id", ("größe", "id")),
        ("", ()),
    ],
)
def test_words(name: str, expected: tuple[str, ...]) -> None:
    assert words(name) == expected


@pytest.mark.parametrize(
    ("child", "parent", "weight"),
    [
        (("orders", "customer_id"), ("shop.customers", "id"), 4.0),
        (("orders", "customer"), ("customers.csv", "number"), 4.0),
        (("orders", "billing_customer_id"), ("customers", "id"), 3.0),
        (("orders", "sku"), ("products", "sku"), 3.0),
        (("orders", "id"), ("customers", "id"), None),
        (("orders", "product_id"), ("customers", "id"), -3.0),
        (("staff", "manager_id"), ("staff", "id"), 4.0),
        (("staff", "desk_id"), ("staff", "id"), 2.0),
        (("orders", "quantity"), ("customers", "id"), None),
        (("orders", "name"), ("customers", "name"), None),
    ],
)
def test_what_names_say(child: tuple[str, str], parent: tuple[str, str], weight: float | None) -> None:
    datasets = ("orders", "shop.customers", "customers", "customers.csv", "products", "staff")
    evidence = names_evidence(ColumnName(*child), ColumnName(*parent), datasets)
    assert (evidence and evidence.weight) == weight
